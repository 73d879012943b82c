"""The guard lets a stage through when NVML shows what it needs, and says what is missing otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab import exit_codes
from medkg_lab.gpu.errors import GpuUnavailable
from medkg_lab.gpu.guard import judge, require
from medkg_lab.gpu.nvml import Device, Survey, survey
from medkg_lab.stages.embed.implementation import MINILM, OPENAI
from medkg_lab.stages.registry import GpuNeed

SMALL = Device(0, "T4", 15360, 900)
LARGE = Device(1, "H100", 81559, 80000)


def test_a_stage_without_a_need_passes_anywhere() -> None:
    assert MINILM.gpu is None
    require(MINILM, MINILM.parse_options({}))


def test_the_guard_agrees_with_what_nvml_shows_here() -> None:
    found = survey()
    assert OPENAI.gpu is not None
    if any(device.total_mib >= OPENAI.gpu.memory_mib for device in found.devices):
        require(OPENAI, OPENAI.parse_options({}))
    else:
        with pytest.raises(GpuUnavailable, match=r"openai\.embedder"):
            require(OPENAI, OPENAI.parse_options({}))
    assert (found.absent is None) == (found.driver is not None)


@pytest.mark.parametrize(
    ("found", "part"),
    [
        (Survey(absent="Driver Not Loaded"), r"no NVIDIA driver \(Driver Not Loaded\)\. Install the NVIDIA driver"),
        (Survey(driver="550"), "driver 550 without any GPU"),
        (Survey((SMALL,), "550"), r"GPU 0 \(T4\) with 900 of 15360 MiB free\. Free memory on the GPU"),
        (Survey((Device(0, "K80", 4000, 4000),), "550"), "Use a GPU with more memory"),
    ],
)
def test_the_message_says_what_was_found_and_what_to_do(found: Survey, part: str) -> None:
    with pytest.raises(GpuUnavailable, match=part) as caught:
        judge("x.embedder", GpuNeed(8192), found)
    assert caught.value.exit_code == exit_codes.GPU_UNAVAILABLE
    assert caught.value.failure_kind == "gpu_unavailable"
    assert "x.embedder needs an NVIDIA GPU with 8192 MiB of free memory" in str(caught.value)


def test_any_device_that_is_large_enough_will_do() -> None:
    judge("x", GpuNeed(8192), Survey((SMALL, LARGE), "550"))
    with pytest.raises(GpuUnavailable):
        judge("x", GpuNeed(8192), Survey((SMALL,), "550"))


@given(free=st.lists(st.integers(0, 10_000), max_size=4), needed=st.integers(1, 10_000))
def test_it_passes_exactly_when_one_device_has_the_memory(free: list[int], needed: int) -> None:
    found = Survey(tuple(Device(i, "g", 10_000, mib) for i, mib in enumerate(free)), "550")
    if max(free, default=-1) >= needed:
        judge("x", GpuNeed(needed), found)
    else:
        with pytest.raises(GpuUnavailable):
            judge("x", GpuNeed(needed), found)


def test_memory_that_a_server_holds_already_counts_for_the_stage_that_asks_that_server() -> None:
    held = Survey((Device(0, "H100", 81559, 512),), "550")
    judge("x", GpuNeed(8192, served=True), held)
    with pytest.raises(GpuUnavailable, match="8192 MiB of free memory"):
        judge("x", GpuNeed(8192), held)


def test_another_device_than_the_one_that_was_asked_for_will_not_do() -> None:
    judge("x", GpuNeed(8192, device=1), Survey((SMALL, LARGE), "550"))
    for missing in (0, 2):
        with pytest.raises(GpuUnavailable, match=f"needs NVIDIA GPU {missing} with"):
            judge("x", GpuNeed(8192, device=missing), Survey((SMALL, LARGE), "550"))
