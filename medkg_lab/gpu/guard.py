"""The check before a stage that needs a GPU is built. There is no other way to run such a stage, and no fallback."""

from medkg_lab.gpu.errors import GpuUnavailable
from medkg_lab.gpu.nvml import Survey, survey
from medkg_lab.stages.registry import Implementation


def require(implementation: Implementation) -> None:
    """Return when `implementation` needs no GPU, or there is one with enough free memory. Raises GpuUnavailable."""
    if implementation.gpu is not None:
        judge(implementation.name, implementation.gpu.memory_mib, survey())


def judge(name: str, needed_mib: int, found: Survey) -> None:
    """Decide whether `found` has a device with `needed_mib` MiB free. Raises GpuUnavailable."""
    if any(device.free_mib >= needed_mib for device in found.devices):
        return
    raise GpuUnavailable(
        implementation=name, needed_mib=needed_mib, found=str(found), remedy=_remedy(needed_mib, found)
    )


def _remedy(needed_mib: int, found: Survey) -> str:
    if not found.devices:
        return "Install the NVIDIA driver and check that `nvidia-smi` lists a GPU"
    if any(device.total_mib >= needed_mib for device in found.devices):
        return "Free memory on the GPU (`nvidia-smi` shows which processes hold it)"
    return "Use a GPU with more memory"
