"""medkg-lab: runs a complete medical-document pipeline on one machine."""

from medkg_lab import telemetry

__version__ = "0.1.0"

# Before any library is imported that would report its use.
telemetry.switch_off()
