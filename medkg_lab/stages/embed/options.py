"""What a profile or topology may say about embedding."""

from typing import Literal

from pydantic import Field

from medkg_lab.stages.registry import Options

Precision = Literal["fp32", "int8"]


DEFAULT_PRECISION: Precision = "int8"


class MiniLMOptions(Options):
    """How exactly the packaged model computes; vectors of the two precisions never share an index."""

    precision: Precision | None = Field(
        default=None,
        description="Left open, that of the vectors which the lab has, and `int8` in a lab without any. `int8` embeds about "
        "twice as fast on the same cores and finds as well; docs/benchmarks.md has both side by side.",
    )


class OnnxOptions(Options):
    """A model of the user's own, as `models add` stored it."""

    model: str = Field(
        min_length=1,
        max_length=80,
        description="Its name in the lab, or its id with the hash (`NAME@hash`); `medkg-lab models list` shows all.",
    )


class SpladeOptions(Options):
    """A learned sparse model (SPLADE) on a GPU of this machine, through sentence-transformers from the `gpu` extra."""

    model: str = Field(
        min_length=1,
        description="A folder with the model, or its name in the local Hugging Face cache; nothing is downloaded.",
    )
    device: int = Field(default=0, ge=0, le=63, description="The number of the GPU, as `nvidia-smi` shows it.")
    memory_mib: int = Field(default=2048, ge=1, description="Free GPU memory in MiB that must be there at the start.")
    max_terms: int = Field(default=128, ge=1, le=4096, description="Terms of a text that are kept: the heaviest.")
    batch_size: int = Field(default=32, ge=1, le=4096, description="Texts that are computed together.")


class OpenAIOptions(Options):
    """An OpenAI-compatible endpoint, such as vLLM's.

    There is no key among them: profiles are kept with the ledger, and a key would be kept with them.
    """

    base_url: str = Field(
        default="http://127.0.0.1:8000/v1",
        pattern=r"^https?://[^\s]+$",
        description="Address of the endpoint, which ends in `/v1`.",
    )
    model: str = Field(default="Qwen/Qwen3-Embedding-0.6B", min_length=1, description="The model to ask for.")
    dimension: int = Field(default=1024, ge=1, le=65_536, description="Length of the vectors that the model must give.")
    batch_size: int = Field(default=32, ge=1, le=4096, description="Texts in one request.")
    timeout_seconds: float = Field(default=60.0, gt=0, le=3600, description="Seconds that one request may take.")
    query_prefix: str = Field(
        default="",
        max_length=2000,
        description="What a search puts before its query, where the model wants an instruction.",
    )
    query_timeout_seconds: float = Field(
        default=5.0, gt=0, le=60, description="Seconds that a search waits for its vector."
    )
    sparse: SpladeOptions | None = Field(
        default=None,
        description="A learned sparse model beside it, for the third leg of search; without it that leg is off.",
    )
