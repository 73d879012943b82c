"""Where two values of a stage differ: the passage or item, the field, and both values. Pure.

Vectors are compared by cosine and floats by relative error, within the archive's tolerance; nodes, statements and mentions are
sets; all else must be equal.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel

from medkg_lab.models.documents import Extraction
from medkg_lab.repro.manifest import Tolerance
from medkg_lab.stages.contracts import Embeddings, Receipt

ABSENT = "(absent)"
MOST = 200
"""Differences looked for in one value: what differs in more places differs altogether."""


@dataclass(frozen=True)
class Difference:
    """`item` is the passage or the like that differs (empty for the whole value), `field` what of it; `a` and `b` its values."""

    item: str
    field: str
    a: Any
    b: Any


def differences(a: Any, b: Any, tolerance: Tolerance) -> Iterator[Difference]:
    """Where two values of one kind differ, in their order."""
    match a, b:
        case Embeddings(), Embeddings():
            yield from _embeddings(a, b, tolerance)
        case Extraction(), Extraction():
            yield from _extractions(a, b)
        case tuple(), tuple():
            yield from _items(a, b, tolerance)
        case BaseModel(), BaseModel():
            yield from _documents(a, b, tolerance)
        case Receipt(), Receipt():
            yield from _values("", "", vars(a), vars(b), tolerance)
        case _:
            yield from _values("", "", a, b, tolerance)


def _items(a: Sequence[Any], b: Sequence[Any], tolerance: Tolerance) -> Iterator[Difference]:
    """Passages or submissions, one by one."""
    for place in range(max(len(a), len(b))):
        one, other = (_plain(side[place]) if place < len(side) else ABSENT for side in (a, b))
        shown = one if other == ABSENT else other
        name = shown.get("chunk_id") or f"{shown.get('source')}:{shown.get('key')}" if isinstance(shown, dict) else ""
        if ABSENT in (one, other):
            yield Difference(str(name), "text", _text(one), _text(other))
        else:
            yield from _values(str(name), "", one, other, tolerance)


def _text(value: Any) -> Any:
    return value.get("text", value) if isinstance(value, dict) else value


def _documents(a: BaseModel, b: BaseModel, tolerance: Tolerance) -> Iterator[Difference]:
    """A document or payload: its head, then its blocks one by one."""
    one, other = _plain(a), _plain(b)
    blocks = one.pop("blocks", []), other.pop("blocks", [])
    yield from _values("", "", one, other, tolerance)
    for place in range(max(map(len, blocks))):
        mine, theirs = (side[place] if place < len(side) else ABSENT for side in blocks)
        if ABSENT in (mine, theirs):
            yield Difference(f"block {place}", "text", _text(mine), _text(theirs))
        else:
            yield from _values(f"block {place}", "", mine, theirs, tolerance)


def _embeddings(a: Embeddings, b: Embeddings, tolerance: Tolerance) -> Iterator[Difference]:
    for name in ("model", "dimension"):
        if getattr(a, name) != getattr(b, name):
            yield Difference("", name, getattr(a, name), getattr(b, name))
    if a.dimension != b.dimension:
        return
    places = {chunk: place for place, chunk in enumerate(b.chunk_ids)}
    for place, chunk in enumerate(a.chunk_ids):
        if chunk not in places:
            yield Difference(chunk, "vector", "a vector", ABSENT)
            continue
        cosine = float(np.dot(a.vectors[place].astype(np.float64), b.vectors[places[chunk]].astype(np.float64)))
        if not cosine >= tolerance.vector_cosine:
            yield Difference(chunk, "vector", "a vector", f"one with cosine {cosine:.6f} to it")
    for chunk in b.chunk_ids:
        if chunk not in a.chunk_ids:
            yield Difference(chunk, "vector", ABSENT, "a vector")


def _extractions(a: Extraction, b: Extraction) -> Iterator[Difference]:
    """Sets without order: what only one side has."""
    if a.doc_id != b.doc_id:
        yield Difference("", "doc_id", a.doc_id, b.doc_id)
    for field in ("nodes", "mentions", "edges"):
        mine, others = (dict.fromkeys(getattr(side, field)) for side in (a, b))
        for value in [one for one in mine if one not in others] + [one for one in others if one not in mine]:
            told = _brief(value)
            chunk = getattr(value, "chunk_id", None) or ""
            yield Difference(str(chunk), field, *((told, ABSENT) if value in mine else (ABSENT, told)))


def _brief(value: BaseModel) -> dict[str, object]:
    return {name: one for name, one in _plain(value).items() if name not in ("doc_id", "chunk_id") and one is not None}


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _values(item: str, field: str, a: Any, b: Any, tolerance: Tolerance) -> Iterator[Difference]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys([*a, *b]):
            inner = f"{field}.{name}" if field else str(name)
            yield from _values(item, inner, a.get(name, ABSENT), b.get(name, ABSENT), tolerance)
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        for place, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _values(item, f"{field}[{place}]", one, other, tolerance)
    elif not same(a, b, tolerance):
        yield Difference(item, field, a, b)


def same(a: Any, b: Any, tolerance: Tolerance) -> bool:
    """Whether two plain values are the same; True and 1 are not."""
    if isinstance(a, float) and isinstance(b, int | float) and not isinstance(b, bool):
        return math.isclose(a, b, rel_tol=tolerance.float_relative)
    return type(a) is type(b) and bool(a == b)
