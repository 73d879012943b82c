"""Gauges: what NVML's functions give is read as it is meant, and without a driver there is no gauge."""

from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from medkg_lab.gpu.nvml import Gauge, gauges, survey

MIB = 1024 * 1024


class Library:
    """NVML's functions with what they return by NVIDIA's reference: bytes, per cent, degrees Celsius, milliwatts."""

    def __init__(self, count: int, refused: tuple[str, ...] = ()) -> None:
        self._count, self._refused = count, refused
        self.open = 0

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def __getattr__(self, name: str) -> Any:
        if name in self._refused:

            def refuse(*_: object) -> None:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

            return refuse
        answers = {
            "nvmlDeviceGetCount": self._count,
            "nvmlDeviceGetName": b"NVIDIA H100",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=2048 * MIB, total=81920 * MIB, free=79872 * MIB),
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=37, memory=12),
            "nvmlDeviceGetTemperature": 61,
            "nvmlDeviceGetPowerUsage": 212_500,
        }
        return lambda *arguments: arguments[0] if name == "nvmlDeviceGetHandleByIndex" else answers[name]


def test_each_gpu_has_a_gauge() -> None:
    library = Library(2)
    found = gauges(library)
    assert found == tuple(Gauge(index, "NVIDIA H100", 2048, 81920, 0.37, 61, 212.5) for index in (0, 1))
    assert library.open == 0


@pytest.mark.parametrize(
    ("refused", "field"),
    [
        ("nvmlDeviceGetUtilizationRates", "load"),
        ("nvmlDeviceGetTemperature", "celsius"),
        ("nvmlDeviceGetPowerUsage", "watts"),
    ],
)
def test_what_a_gpu_does_not_tell_is_left_out(refused: str, field: str) -> None:
    [found] = gauges(Library(1, (refused,)))
    assert getattr(found, field) is None
    assert sum(getattr(found, name) is None for name in ("load", "celsius", "watts")) == 1


def test_a_driver_that_fails_is_no_gauge() -> None:
    library = Library(1, ("nvmlDeviceGetMemoryInfo",))
    assert gauges(library) == ()
    assert library.open == 0


def test_the_gauges_agree_with_the_survey_of_this_machine() -> None:
    assert [(one.index, one.total_mib) for one in gauges()] == [(one.index, one.total_mib) for one in survey().devices]
