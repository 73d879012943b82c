"""The exit codes that scripts may rely on."""

OK = 0
FAILED = 1
USAGE = 2
NOT_READY = 3
GATE_REFUSED = 4
GPU_UNAVAILABLE = 5
NO_RESTART = 78
"""A process of the lab ends with this when starting it again cannot help; the supervisor shows why instead."""
INTERRUPTED = 130
