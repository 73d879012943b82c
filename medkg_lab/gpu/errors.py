"""What can be wrong with a GPU."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class GpuUnavailable(LabError):
    """{implementation} needs {gpu} with {needed_mib} MiB of {memory}. NVML was asked and showed: {found}.
    {remedy}, or choose a profile that needs no GPU, such as cpu; the lab never changes the profile by itself."""

    exit_code: ClassVar[int] = exit_codes.GPU_UNAVAILABLE
    failure_kind: ClassVar[str] = "gpu_unavailable"
    """What the `failure_kind` of a job becomes that was to run on the GPU."""
