"""The limits a conversion runs under: set by the converter's process for itself before it reads a byte of the PDF."""

import resource
from dataclasses import dataclass

from medkg_lab import linux


@dataclass(frozen=True)
class Limits:
    """Address space in MiB, CPU seconds (all threads of a process together), and bytes in any file written."""

    memory_mib: int
    cpu_seconds: int
    file_bytes: int = 512 * 1024 * 1024

    def apply(self) -> None:
        """Hold this process and those it starts to the limits; no core files; it ends with the process that started it."""
        linux.die_with_parent()
        memory = self.memory_mib * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (self.cpu_seconds, self.cpu_seconds + 5))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_bytes, self.file_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
