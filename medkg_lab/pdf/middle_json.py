"""The middle JSON while it is made: its pages and what the lab adds to it; the rest stays as the converter wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medkg_lab.stages.parse.pdf_ir.middle import NOTES


@dataclass(slots=True)
class Page:
    """A page: `index` counts from 0, `blocks` are the converter's, None where it gave none."""

    index: int
    blocks: Any
    raw: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """The page as it travels."""
        blocks = {} if self.blocks is None else {"blocks": self.blocks}
        return {**self.raw, "page_idx": self.index, **blocks}


@dataclass(slots=True)
class Middle:
    """A middle JSON."""

    pages: list[Page]
    extensions: dict[str, Any]
    raw: dict[str, Any]

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "Middle":
        """The middle JSON of a converter, which is left as it is."""
        pages = [Page(one["page_idx"], one.get("blocks"), one) for one in raw["pages"]]
        return cls(pages, dict(raw.get("extensions", {})), dict(raw))

    def note(self, text: str) -> None:
        """Add to what is told of the conversion."""
        self.extensions |= {NOTES: [*self.extensions.get(NOTES, []), text]}

    def describe(self, **facts: object) -> None:
        """Add to what is said of the document."""
        metadata = self.raw.get("metadata", {})
        self.raw |= {"metadata": {**metadata, "document": {**metadata.get("document", {}), **facts}}}

    def to_json(self) -> dict[str, Any]:
        """The middle JSON as it travels."""
        made = {**self.raw, "pages": [page.to_json() for page in self.pages]}
        return {**made, "extensions": self.extensions} if self.extensions else made
