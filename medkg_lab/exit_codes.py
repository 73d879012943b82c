"""The exit codes that scripts may rely on."""

OK = 0
"""Done."""
FAILED = 1
"""It failed, or something it covers did; stderr says what."""
USAGE = 2
"""The command line is wrong, or names something that does not exist."""
NOT_READY = 3
"""The lab, or a part of it that is needed, does not run or answer."""
GATE_REFUSED = 4
"""A gate is closed, or refused to open."""
GPU_UNAVAILABLE = 5
"""The GPU or endpoint that a stage needs is not there."""
NO_RESTART = 78
"""A process of the lab ends with this when starting it again cannot help; the supervisor shows why instead."""
INTERRUPTED = 130
"""Interrupted from the keyboard."""
