"""The one thing to do before haystack is imported."""

import os


def switch_telemetry_off() -> None:
    """Keep haystack from reporting its use to its makers; it reads the variable when it is imported."""
    os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
