"""Haystack's splitters as one thing: a text in, ranges of characters out.

Of haystack's ways to split, these work offline: its `sentence` and `token` units fetch models from the network, so sentences are
a function of ours and tokens are counted with the embedding model's own tokenizer. That function is called directly: haystack,
calling it, looks for each sentence in the text again and counts the pages before it, which takes quadratic time.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from medkg_lab.stages.chunk.options import SplitBy
from medkg_lab.stages.chunk.sentences import split as split_sentences
from medkg_lab.stages.chunk.tokens import Range

Splitter = Callable[[str], list[Range]]
_LEVELS = 3
"""Sizes of passage in a hierarchy, each half of the one above."""


def build_splitter(split_by: SplitBy, length: int, overlap: int, threshold: int) -> Splitter:
    """Make the splitter for `split_by`; importing haystack takes a second or more.

    For `sentence` and `section` the ranges are single sentences, and nothing is imported; else passages.
    """
    if split_by == "sentence" or split_by == "section":
        return _sentence_ranges
    from haystack import Document
    from haystack.components.preprocessors import (
        DocumentSplitter,
        HierarchicalDocumentSplitter,
        RecursiveDocumentSplitter,
    )

    component: Any
    match split_by:
        case "recursive":
            separators = ["\n\n", "\n", " "]
            component = RecursiveDocumentSplitter(
                split_length=length, split_overlap=overlap, split_unit="word", separators=separators
            )
        case "hierarchical":
            sizes = {max(1, length >> level) for level in range(_LEVELS)}
            component = HierarchicalDocumentSplitter(block_sizes=sizes, split_overlap=0, split_by="word")
        case _:
            component = DocumentSplitter(
                split_by=split_by, split_length=length, split_overlap=overlap, split_threshold=threshold
            )

    def split(text: str) -> list[Range]:
        made = component.run(documents=[Document(content=text)])["documents"]
        if split_by == "hierarchical":
            return _within_parents(made)
        return [(start := part.meta["split_idx_start"], start + len(part.content)) for part in made]

    return split


def _sentence_ranges(text: str) -> list[Range]:
    ends = list(accumulate(map(len, split_sentences(text))))
    return list(pairwise([0, *ends]))


def _within_parents(made: Sequence[Any]) -> list[Range]:
    """The ranges of a hierarchy without its root, the larger before the smaller within it; children count from their parent."""
    starts: dict[str, int] = {}
    ranges: set[Range] = set()
    for part in made:
        parent = part.meta["__parent_id"]
        start = starts[part.id] = starts.get(parent, 0) + part.meta.get("split_idx_start", 0)
        if parent is not None or not part.meta["__children_ids"]:
            ranges.add((start, start + len(part.content)))
    return sorted(ranges, key=lambda span: (span[0], -span[1]))
