"""What an embedding endpoint answers, turned into vectors or an error: nothing in between ever leaves here."""

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from medkg_lab.errors import LabError
from medkg_lab.stages.contracts import HttpAnswer
from medkg_lab.stages.embed.errors import EndpointFailed, EndpointRefused, EndpointWrongVectors, GpuOutOfMemory

_DETAIL_CHARACTERS = 300
_TOO_MANY_REQUESTS = 429
_OUT_OF_MEMORY = "out of memory"


def unit_vectors(raw: list[Any], dimension: int, url: str) -> npt.NDArray[np.float32]:
    """Vectors as unit-length rows. Raises EndpointWrongVectors unless each has the dimension and a finite length."""
    for number, vector in enumerate(raw):
        if not isinstance(vector, list) or len(vector) != dimension:
            size = len(vector) if isinstance(vector, list) else "no"
            detail = f"text {number + 1} of {len(raw)} got {size} numbers instead of {dimension}"
            raise EndpointWrongVectors(url=url, detail=detail)
    try:
        vectors = np.asarray(raw, dtype=np.float32).reshape(-1, dimension)
    except (TypeError, ValueError) as error:
        raise EndpointWrongVectors(url=url, detail=short(f"a vector holds what is not a number: {error}")) from None
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or not np.all(lengths > 0):
        raise EndpointWrongVectors(url=url, detail="a vector is zero or not finite")
    unit: npt.NDArray[np.float32] = vectors / lengths
    return unit


def failed(url: str, status: int | None, message: str) -> LabError:
    """The error that an answer with a status other than 200 is; `status` is None when the library gave none."""
    detail = short(message)
    if _OUT_OF_MEMORY in message.lower():
        return GpuOutOfMemory(url=url, detail=detail)
    if status is not None and 400 <= status < 500 and status != _TOO_MANY_REQUESTS:
        return EndpointRefused(url=url, detail=detail)
    return EndpointFailed(url=url, detail=detail)


def read_answer(answer: HttpAnswer, count: int, dimension: int, url: str) -> npt.NDArray[np.float32]:
    """The vectors in an answer of `/embeddings` to `count` texts, in their order. Raises a ServiceError."""
    if answer.status != 200:
        raise failed(url, answer.status, f"HTTP {answer.status}: {answer.body[:2000].decode(errors='replace')}")
    try:
        data = orjson.loads(answer.body)["data"]
        raw = [item["embedding"] for item in sorted(data, key=lambda item: item["index"])]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise EndpointWrongVectors(url=url, detail=short(repr(error))) from None
    if len(raw) != count:
        raise EndpointWrongVectors(url=url, detail=f"{len(raw)} vectors for {count} texts")
    return unit_vectors(raw, dimension, url)


def short(text: str) -> str:
    """`text` on one line, cut to what a message can hold."""
    return " ".join(text.split())[:_DETAIL_CHARACTERS]
