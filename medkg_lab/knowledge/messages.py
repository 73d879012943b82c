"""What stages send to be stored: checked once, at the door, document by document."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from medkg_lab.errors import LabError
from medkg_lab.knowledge.errors import UnusableDocument
from medkg_lab.models.documents import Chunk, Edge, Frozen, Mention, Node
from medkg_lab.models.stored import Stored
from medkg_lab.stages.contracts import SparseVectors
from medkg_lab.validation import first_flaw

UNIT_TOLERANCE = 1e-3
"""How far a vector's length may be from 1: float32 rounding over a few thousand dimensions stays well below it."""


class Owned(Frozen):
    """What every document says of itself: which job stores it, and for whom."""

    doc_id: str = Field(min_length=1)
    job_id: str = Field(min_length=1)
    tenant_id: str = Field(default="default", pattern=r"^[A-Za-z0-9_.-]{1,64}$")


class SparseRows(Frozen):
    """Sparse vectors as they travel: `rows` is what SparseVectors packs, in base64."""

    model: str = Field(min_length=1)
    rows: str

    @classmethod
    def of(cls, vectors: SparseVectors) -> dict[str, str]:
        """The message for sparse vectors."""
        return {"model": vectors.model, "rows": base64.b64encode(vectors.pack()).decode()}


class TextDocument(Owned):
    """A document for search; `vectors` are its chunks' little-endian float32 rows in base64."""

    source: str
    title: str
    metadata: dict[str, object] = Field(default_factory=dict)
    chunks: tuple[Chunk, ...]
    model: str
    dimension: int = Field(ge=1, le=65_536)
    vectors: str
    sparse: SparseRows | None = None

    def sparse_vectors(self) -> SparseVectors | None:
        """The chunks' sparse vectors, if it has any. Raises UnusableDocument."""
        if self.sparse is None:
            return None
        try:
            found = SparseVectors.unpack(
                self.sparse.model, len(self.chunks), base64.b64decode(self.sparse.rows, validate=True)
            )
        except (binascii.Error, ValueError) as error:
            raise UnusableDocument(doc_id=self.doc_id, detail=f"sparse vectors: {error}") from None
        if not (np.all(np.isfinite(found.weights)) and np.all(found.weights > 0) and np.all(found.terms >= 0)):
            raise UnusableDocument(
                doc_id=self.doc_id, detail="a sparse weight is not positive, or its term is negative"
            )
        # Where a text begins, its first term need not be larger than the last of the text before it.
        ascends = np.diff(found.terms) > 0
        ascends[[start - 1 for start in found.starts[1:-1] if 0 < start < len(found.terms)]] = True
        if not np.all(ascends):
            raise UnusableDocument(doc_id=self.doc_id, detail="the sparse terms of a chunk do not ascend")
        return found

    def matrix(self) -> npt.NDArray[np.float32]:
        """The vectors as float32 of shape (chunks, dimension). Raises UnusableDocument."""
        try:
            data = base64.b64decode(self.vectors, validate=True)
        except binascii.Error as error:
            raise UnusableDocument(doc_id=self.doc_id, detail=f"vectors are not base64: {error}") from None
        if len(data) != 4 * len(self.chunks) * self.dimension:
            detail = f"{len(data)} bytes of vectors for {len(self.chunks)} chunks of dimension {self.dimension}"
            raise UnusableDocument(doc_id=self.doc_id, detail=detail)
        matrix = np.frombuffer(data, dtype="<f4").reshape(-1, self.dimension)
        lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
        if not np.all(np.abs(lengths - 1) <= UNIT_TOLERANCE):
            raise UnusableDocument(doc_id=self.doc_id, detail="a vector is not of length 1")
        return matrix

    @classmethod
    def pack(cls, vectors: npt.NDArray[np.float32]) -> str:
        """Put vectors into the form in which they travel."""
        return base64.b64encode(np.ascontiguousarray(vectors, dtype="<f4").tobytes()).decode()


class GraphDocument(Owned):
    """A document's part of the graph."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    mentions: tuple[Mention, ...] = ()


D = TypeVar("D", bound=Owned)


def check(kind: type[D], documents: Sequence[object]) -> tuple[dict[int, D], dict[int, LabError]]:
    """Check each of `documents` by itself: those that can be stored, by their number in the call, and the others' errors."""
    good: dict[int, D] = {}
    bad: dict[int, LabError] = {}
    for number, given in enumerate(documents):
        try:
            good[number] = kind.model_validate(given)
        except ValidationError as error:
            bad[number] = unusable(given, error)
    return good, bad


def unusable(given: object, error: ValidationError) -> UnusableDocument:
    """The error of a document that does not have the right form."""
    name = given.get("doc_id") if isinstance(given, dict) else None
    return UnusableDocument(doc_id=name or "a document", detail=first_flaw(error.errors()).text())


def outcomes(counts: Mapping[int, Stored], bad: Mapping[int, LabError]) -> list[Stored | LabError]:
    """One answer per document, in the order of the call."""
    answers: dict[int, Stored | LabError] = {**counts, **bad}
    return [answers[number] for number in sorted(answers)]
