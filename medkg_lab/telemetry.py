"""Environment variables that disable the libraries' telemetry.

Each is read by its library when that is imported or first used (ONNX Runtime's Privacy.md, Haystack's and Dagster's pages on
telemetry, huggingface_hub's environment variables, vLLM's usage statistics, consoledonottrack.com).
"""

import os

OFF = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "MINERU_MODEL_SOURCE": "local",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
"""No use is reported, and no model is fetched at run time."""


def switch_off() -> None:
    """Set the variables for this process and all that it starts."""
    os.environ.update(OFF)
