"""What NVIDIA's management library (NVML) shows of this machine's GPUs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pynvml

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Device:
    """One GPU; memory in MiB."""

    index: int
    name: str
    total_mib: int
    free_mib: int

    def __str__(self) -> str:
        return f"GPU {self.index} ({self.name}) with {self.free_mib} of {self.total_mib} MiB free"


@dataclass(frozen=True)
class Gauge:
    """How busy one GPU is: `load` from 0 to 1, memory in MiB, degrees Celsius, Watt; None where the GPU does not tell."""

    index: int
    name: str
    used_mib: int
    total_mib: int
    load: float | None = None
    celsius: int | None = None
    watts: float | None = None


@dataclass(frozen=True)
class Survey:
    """The GPUs that NVML shows; without a driver there are none and `absent` says why."""

    devices: tuple[Device, ...] = ()
    driver: str | None = None
    absent: str | None = None

    def __str__(self) -> str:
        if self.absent:
            return f"no NVIDIA driver ({self.absent})"
        return "; ".join(map(str, self.devices)) or f"driver {self.driver} without any GPU"


def survey() -> Survey:
    """Ask NVML once. A missing library or driver is an answer, not an error."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return Survey(absent=str(error))
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        return Survey(tuple(_device(index) for index in range(pynvml.nvmlDeviceGetCount())), driver)
    except pynvml.NVMLError as error:
        return Survey(absent=str(error))
    finally:
        pynvml.nvmlShutdown()


def gauges(library: Any = pynvml) -> tuple[Gauge, ...]:
    """How busy each GPU is now; none where there is no driver. `library` has NVML's functions, as pynvml gives them."""
    try:
        library.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        return tuple(_gauge(library, index) for index in range(library.nvmlDeviceGetCount()))
    except pynvml.NVMLError:
        return ()
    finally:
        library.nvmlShutdown()


def _gauge(library: Any, index: int) -> Gauge:
    handle = library.nvmlDeviceGetHandleByIndex(index)
    memory = library.nvmlDeviceGetMemoryInfo(handle)
    load = _query(lambda: library.nvmlDeviceGetUtilizationRates(handle).gpu)
    celsius = _query(lambda: library.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
    milliwatts = _query(lambda: library.nvmlDeviceGetPowerUsage(handle))
    return Gauge(
        index,
        _text(library.nvmlDeviceGetName(handle)),
        int(memory.used) // _MIB,
        int(memory.total) // _MIB,
        None if load is None else load / 100,
        celsius,
        None if milliwatts is None else milliwatts / 1000,
    )


def _query(ask: Callable[[], int]) -> int | None:
    """What a GPU tells; None for what this one cannot."""
    try:
        return int(ask())
    except pynvml.NVMLError:
        return None


def _device(index: int) -> Device:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = _text(pynvml.nvmlDeviceGetName(handle))
    return Device(index, name, int(memory.total) // _MIB, int(memory.free) // _MIB)


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
