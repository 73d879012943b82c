"""What NVIDIA's management library (NVML) shows of this machine's GPUs."""

from dataclasses import dataclass

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


def _device(index: int) -> Device:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = _text(pynvml.nvmlDeviceGetName(handle))
    return Device(index, name, int(memory.total) // _MIB, int(memory.free) // _MIB)


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
