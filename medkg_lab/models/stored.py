"""What a store of documents says of one that it took."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stored:
    """A document that was stored: how many items it holds for it now."""

    doc_id: str
    count: int
