"""The options of the extract implementations."""

from pydantic import Field

from medkg_lab.stages.registry import Options


class StructuredOptions(Options):
    """Which terms are looked for."""

    vocabulary: str = Field(
        default="current",
        pattern=r"^(current|bundled|[0-9a-f]{12})$",
        description="`bundled`, the version of an imported vocabulary, or `current`: the one imported last, if any.",
    )


class LlmOptions(StructuredOptions):
    """An OpenAI-compatible endpoint with structured output, such as vLLM's; there is no key among them, as profiles are kept."""

    base_url: str = Field(
        default="http://127.0.0.1:8001/v1",
        pattern=r"^https?://[^\s]+$",
        description="Address of the endpoint, which ends in `/v1`.",
    )
    model: str = Field(default="Qwen/Qwen3-4B-Instruct-2507", min_length=1, description="The model to ask for.")
    max_tokens: int = Field(default=2048, ge=64, le=32_768, description="Tokens of one answer at most.")
    timeout_seconds: float = Field(default=120.0, gt=0, le=3600, description="Seconds that one answer may take.")
