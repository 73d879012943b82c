"""Annotated abstracts in the PubTator format (Wei et al., Nucleic Acids Research 2013), as BC5CDR and NCBI disease use it.

`PMID|t|title`, `PMID|a|abstract`, then a line per mention: PMID, start, end, text, type, ids; offsets count characters over the
title, one separator and the abstract. Ids are joined by `|` or `+`; `-1` means that there is none. Relations are skipped.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_HEAD = re.compile(r"^(\d+)\|([ta])\|(.*)$")
_BEGINNING = re.compile(rb"\d+\|[ta]\|")
_JOINED = re.compile(r"[|+]")


@dataclass(frozen=True)
class Annotation:
    """A mention: a half-open range of characters, its type, and the ids of what it names, any of which is right."""

    start: int
    end: int
    type: str
    ids: frozenset[str]


@dataclass
class Abstract:
    """A title and an abstract with one character between them, and what is mentioned there."""

    pmid: str
    title: str = ""
    abstract: str = ""
    annotations: list[Annotation] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What the offsets of the annotations count in."""
        return f"{self.title} {self.abstract}"


def is_pubtator(head: bytes) -> bool:
    """Whether a file that begins with `head` is in the format."""
    return bool(_BEGINNING.match(head))


def read_abstracts(lines: Iterable[str]) -> Iterator[Abstract]:
    """The abstracts of a corpus. Raises ValueError for what is not PubTator, and for an offset that does not fit the text."""
    current: Abstract | None = None
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r\n")
        if head := _HEAD.match(line):
            if current is None or current.pmid != head[1]:
                if current:
                    yield current
                current = Abstract(head[1])
            if head[2] == "t":
                current.title = head[3]
            else:
                current.abstract = head[3]
        elif line.strip():
            if current is None:
                raise ValueError(f"line {number} stands before any abstract")
            if annotation := _annotation(line, number, len(current.text)):
                current.annotations.append(annotation)
    if current is None:
        raise ValueError("it has no abstract")
    yield current


def _annotation(line: str, number: int, length: int) -> Annotation | None:
    fields = line.split("\t")
    if len(fields) < 6 or not (fields[1].isdigit() and fields[2].isdigit()):
        return None
    start, end = int(fields[1]), int(fields[2])
    if not 0 <= start < end <= length:
        raise ValueError(f"line {number}: an offset is outside of the text")
    ids = (one.strip().removeprefix("MESH:") for one in _JOINED.split(fields[5]))
    return Annotation(start, end, fields[4], frozenset(one for one in ids if one and one != "-1"))
