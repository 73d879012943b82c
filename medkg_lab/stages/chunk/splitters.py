"""Haystack's splitters as one thing: a text in, ranges of characters out.

Of haystack's ways to split, these work offline: its `sentence` and `token` units fetch models from the network, so sentences come
from a function of ours and tokens are counted with the embedding model's own tokenizer.
"""

from collections.abc import Callable
from typing import Any

from medkg_lab.stages.chunk.options import SplitBy
from medkg_lab.stages.chunk.sentences import split as split_sentences
from medkg_lab.stages.chunk.tokens import Range
from medkg_lab.stages.haystack_settings import switch_telemetry_off

Splitter = Callable[[str], list[Range]]


def build_splitter(split_by: SplitBy, length: int, overlap: int, threshold: int) -> Splitter:
    """Make the splitter for `split_by`; importing haystack takes a second or more.

    For `sentence` the ranges are single sentences, since haystack does not gather what a function returns; else passages.
    """
    switch_telemetry_off()
    from haystack import Document
    from haystack.components.preprocessors import DocumentSplitter, RecursiveDocumentSplitter

    component: Any
    match split_by:
        case "sentence":
            component = DocumentSplitter(split_by="function", splitting_function=split_sentences)
        case "recursive":
            separators = ["\n\n", "\n", " "]
            component = RecursiveDocumentSplitter(
                split_length=length, split_overlap=overlap, split_unit="word", separators=separators
            )
        case _:
            component = DocumentSplitter(
                split_by=split_by, split_length=length, split_overlap=overlap, split_threshold=threshold
            )

    def split(text: str) -> list[Range]:
        made = component.run(documents=[Document(content=text)])["documents"]
        return [(start := part.meta["split_idx_start"], start + len(part.content)) for part in made]

    return split
