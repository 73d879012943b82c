"""What a profile or topology may say about chunking."""

from typing import Literal, Self

from pydantic import Field, model_validator

from medkg_lab.stages.registry import Options

SplitBy = Literal["sentence", "word", "passage", "recursive", "hierarchical", "section"]


class SplitterOptions(Options):
    """Units are sentences for `sentence`, blocks for `passage`, words for `word`, `recursive` and `hierarchical`.

    `hierarchical` gives passages of `split_length` words, of half and of a quarter of it, each within the larger one. `section`
    makes as much of a section as `max_tokens` allow one passage, ending with a sentence; it counts no units.

    `max_tokens` counts [CLS] and [SEP] in; what is longer is cut.
    """

    split_by: SplitBy = Field(default="sentence", description="What a passage is counted in.")
    split_length: int = Field(default=10, ge=1, le=10_000, description="Units in a passage.")
    split_overlap: int = Field(default=0, ge=0, description="Units that a passage shares with the one before.")
    split_threshold: int = Field(default=0, ge=0, description="Units below which a last passage joins the one before.")
    max_tokens: int = Field(
        default=256, ge=16, le=32_768, description="Tokens of the embedding model in a passage at most."
    )
    within_sections: bool = Field(default=True, description="Whether a passage ends where its section does.")
    include_references: bool = Field(
        default=False, description="Whether the list of references is cut into passages too."
    )

    @model_validator(mode="after")
    def _overlap_is_less(self) -> Self:
        if self.split_overlap >= self.split_length:
            raise ValueError("split_overlap must be less than split_length")
        if self.split_overlap and self.split_by in ("hierarchical", "section"):
            raise ValueError(f"passages do not overlap when split_by is {self.split_by}")
        return self
