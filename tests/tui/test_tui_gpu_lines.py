"""The Lab mode's lines about GPUs: one for each, by their gauges; without any, what the profile is."""

from dataclasses import replace

from rich.cells import cell_len

from medkg_lab.gpu.nvml import Gauge
from medkg_lab.tui.messages import Snapshot
from medkg_lab.tui.screens.lab.render import machine
from tests import answers

USUAL = {
    "cores": 2,
    "busy": 1.0,
    "rss_mb": 500.0,
    "memory_mb": 8000.0,
    "disk_free_mb": 9000.0,
    "durability": "fdatasync",
}
COOL = Gauge(0, "NVIDIA H100", 12_595, 81_559, 0.37, 61, 212.5)


def lines(*gauges: Gauge, width: int = 36) -> list[str]:
    """What is written."""
    seen = Snapshot(machine=USUAL | {"gpus": gauges}, lab=answers.lab(profile="gpu"))
    return ["".join(text for text, _ in line) for line in machine(seen, width)]


def test_a_gpu_shows_load_memory_and_temperature() -> None:
    first, second, *_ = lines(COOL, replace(COOL, index=1, load=None))
    assert first == "GPU 0     37 % · 12.3/80 GiB · 61 °C"
    assert cell_len(first) <= 36
    assert second.startswith("GPU 1     load ?")


def test_a_wide_line_has_gauge_power_and_name() -> None:
    assert lines(COOL, width=70)[0] == "GPU 0     ━━━━╌╌╌╌╌╌ 37 % · 12.3/80 GiB · 61 °C · 212 W · NVIDIA H100"


def test_a_hot_gpu_is_marked_by_more_than_colour() -> None:
    assert "▲ 91 °C" in lines(replace(COOL, celsius=91))[0]


def test_without_a_gpu_the_profile_is_said() -> None:
    assert lines()[0] == "GPU       no GPU: profile gpu"
