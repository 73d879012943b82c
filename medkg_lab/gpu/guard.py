"""The check before a stage that needs a GPU is built. There is no other way to run such a stage, and no fallback."""

from typing import Any

from medkg_lab.gpu.errors import GpuUnavailable
from medkg_lab.gpu.nvml import Device, Survey, survey
from medkg_lab.stages.registry import GpuNeed, Implementation


def require(implementation: Implementation, options: Any) -> None:
    """Return when `implementation` with `options` needs no GPU, or there is one that will do. Raises GpuUnavailable."""
    if needs := implementation.needs(options):
        found = survey()
        for need in needs:
            judge(implementation.name, need, found)


def judge(name: str, need: GpuNeed, found: Survey) -> None:
    """Decide whether `found` has a device that fulfils `need`. Raises GpuUnavailable."""
    fitting = [device for device in found.devices if need.device in (None, device.index)]
    if any(_memory(device, need) >= need.memory_mib for device in fitting):
        return
    raise GpuUnavailable(
        implementation=name,
        gpu="an NVIDIA GPU" if need.device is None else f"NVIDIA GPU {need.device}",
        needed_mib=need.memory_mib,
        memory="memory" if need.served else "free memory",
        found=str(found),
        remedy=_remedy(need, fitting),
    )


def _memory(device: Device, need: GpuNeed) -> int:
    return device.total_mib if need.served else device.free_mib


def _remedy(need: GpuNeed, fitting: list[Device]) -> str:
    if not fitting:
        return "Install the NVIDIA driver and check that `nvidia-smi` lists the GPU"
    if any(device.total_mib >= need.memory_mib for device in fitting):
        return "Free memory on the GPU (`nvidia-smi` shows which processes hold it)"
    return "Use a GPU with more memory"
