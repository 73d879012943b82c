"""What each stage type takes and gives, as protocols that an implementation fulfils without importing anything of the lab's.

A stage knows nothing of jobs, batches, brokers or Dagster: it gets one document's inputs and a context, and returns one output
or raises. `DocumentError` says that the document is at fault (not retried); `ServiceError` that something outside is (retried).
A stage that waits for something outside defines `execute` as a coroutine function: it is then called for several documents at a
time, all in one event loop, and cancelled when a call goes beyond its policy's time-out. It must not block.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, Required, TypedDict, Unpack, runtime_checkable

from medkg_lab.errors import LabError
from medkg_lab.models.documents import Chunk, Document, Extraction
from medkg_lab.models.submission import Payload, Submission
from medkg_lab.stages.custom_types import custom_types

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class StageType(StrEnum):
    """The stage types that a topology may name, beside those of plug-ins; a Gate is not a stage: nothing executes there."""

    INGEST = "IngestStage"
    DOWNLOAD = "DownloadStage"
    PARSE = "ParseStage"
    CHUNK = "ChunkStage"
    EMBED = "EmbedStage"
    INDEX = "IndexStage"
    EXTRACT = "ExtractStage"
    KG = "KGStage"
    GATE = "Gate"

    @classmethod
    def _missing_(cls, value: object) -> "StageType | None":
        """A type of a plug-in: a member like the others, but not one that every profile has to choose for."""
        if not isinstance(value, str) or value not in custom_types():
            return None
        member = str.__new__(cls, value)
        member._name_, member._value_ = value, value
        cls._value2member_map_[value] = member
        return member


class Lane(StrEnum):
    """Which engine serves a segment: what waits for the network never delays what computes."""

    NETWORK = "network"
    COMPUTE = "compute"


class RequestOptions(TypedDict, total=False):
    """What an HTTP request may say besides method and address.

    `timeout` is the seconds that all of it may take, `max_bytes` the size of the largest answer. `keyed` stands for the body
    where requests are compared, when the body names what differs from run to run. `endpoint` says that the address is from the
    lab's own definitions: it may be private, and every status is returned.
    """

    params: Mapping[str, str] | None
    headers: Mapping[str, str] | None
    body: bytes | None
    timeout: Required[float]
    max_bytes: Required[int]
    keyed: bytes | None
    endpoint: bool


class HttpClient(Protocol):
    """The one way to the outside: it can record every exchange and answer from a recording."""

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> "HttpAnswer":
        """Exchange one HTTP request for its answer; redirects are followed within limits. Raises ServiceError."""
        ...

    async def request_async(self, method: str, url: str, **options: Unpack[RequestOptions]) -> "HttpAnswer":
        """What `request` does, for a stage whose `execute` is a coroutine."""
        ...


@dataclass(frozen=True)
class HttpAnswer:
    """An HTTP answer: `headers` with lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


@dataclass(frozen=True)
class StageContext:
    """Everything a stage may know besides its input; nothing else may be read: no clock, environment, file or network.

    `now` gives seconds since the epoch; `content` the bytes of an artifact by its sha256; `store` keeps bytes and returns their
    sha256 (made durable before the stage's outcome is recorded).
    """

    tenant_id: str
    job_id: str
    doc_id: str
    correlation_id: str
    pipeline: str
    pipeline_version: str
    batch_id: str
    stage: str
    attempt: int
    now: Callable[[], float]
    content: Callable[[str], bytes]
    store: Callable[[bytes], str]
    http: HttpClient
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class SparseVectors:
    """Weights over a vocabulary, as a learned sparse model gives them for texts.

    The weights of text `i` are those from `starts[i]` to `starts[i + 1]`: numbers of vocabulary terms in `terms` (int32),
    ascending within a text, and their positive `weights` (float32). `starts` is int64 of shape (texts + 1,).
    """

    model: str
    starts: "npt.NDArray[np.int64]"
    terms: "npt.NDArray[np.int32]"
    weights: "npt.NDArray[np.float32]"

    def __len__(self) -> int:
        return len(self.starts) - 1

    def pack(self) -> bytes:
        """The numbers as bytes: starts, terms and weights, little-endian."""
        return (
            self.starts.astype("<i8").tobytes()
            + self.terms.astype("<i4").tobytes()
            + self.weights.astype("<f4").tobytes()
        )

    @classmethod
    def unpack(cls, model: str, texts: int, data: bytes) -> "SparseVectors":
        """What `pack` gave for so many texts. Raises ValueError when `data` cannot be that."""
        import numpy as np  # here, since the screen and the command line load the contracts and no numbers

        head = 8 * (texts + 1)
        count, rest = divmod(len(data) - head, 8)
        if count < 0 or rest:
            raise ValueError(f"{len(data)} bytes are not the sparse vectors of {texts} texts")
        starts = np.frombuffer(data, dtype="<i8", count=texts + 1)
        if starts[0] != 0 or starts[-1] != count or np.any(np.diff(starts) < 0):
            raise ValueError("the texts' starts do not ascend from 0 to the number of weights")
        terms = np.frombuffer(data, dtype="<i4", count=count, offset=head)
        return cls(model, starts, terms, np.frombuffer(data, dtype="<f4", offset=head + 4 * count))

    def part(self, first: int, last: int) -> "SparseVectors":
        """Those of the texts from `first` to before `last`."""
        low, high = int(self.starts[first]), int(self.starts[last])
        return SparseVectors(
            self.model, self.starts[first : last + 1] - low, self.terms[low:high], self.weights[low:high]
        )


@dataclass(frozen=True)
class Embeddings:
    """Vectors of a document's chunks: `vectors` is float32 of shape (chunks, dimension), rows of unit length, in chunk order.

    `sparse` has the chunks' sparse vectors too, where the profile has a model for them.
    """

    model: str
    dimension: int
    device: str
    chunk_ids: tuple[str, ...]
    vectors: "npt.NDArray[np.float32]"
    sparse: SparseVectors | None = None


@dataclass(frozen=True)
class Receipt:
    """What a store answered: how many items it holds for the document now."""

    doc_id: str
    count: int
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class IndexInput:
    """What an index stage takes."""

    document: Document
    chunks: tuple[Chunk, ...]
    embeddings: Embeddings


@dataclass(frozen=True)
class ExtractInput:
    """What an extract stage takes."""

    document: Document
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True)
class KGInput:
    """What a knowledge-graph stage takes."""

    document: Document
    extraction: Extraction


@runtime_checkable
class IngestStage(Protocol):
    """Fetch a submission's bytes, or expand a query into one submission per document."""

    def execute(
        self, context: StageContext, item: Submission
    ) -> Payload | tuple[Submission, ...] | Awaitable[Payload | tuple[Submission, ...]]: ...


@runtime_checkable
class DownloadStage(Protocol):
    """Fetch the full text (a PDF) that an ingested record points to."""

    def execute(self, context: StageContext, item: Payload) -> Payload | Awaitable[Payload]: ...


@runtime_checkable
class ParseStage(Protocol):
    """Turn a payload into the intermediate representation."""

    def execute(self, context: StageContext, item: Payload) -> Document: ...


@runtime_checkable
class ChunkStage(Protocol):
    """Cut a document into passages."""

    def execute(self, context: StageContext, item: Document) -> tuple[Chunk, ...]: ...


@runtime_checkable
class EmbedStage(Protocol):
    """Compute a vector for each chunk."""

    def execute(self, context: StageContext, item: tuple[Chunk, ...]) -> Embeddings: ...


@runtime_checkable
class IndexStage(Protocol):
    """Put a document's chunks and vectors into the search indexes, as a generation that its job's completion makes visible."""

    def execute(self, context: StageContext, item: IndexInput) -> Receipt: ...


@runtime_checkable
class ExtractStage(Protocol):
    """Find entities and statements in a document."""

    def execute(self, context: StageContext, item: ExtractInput) -> Extraction | Awaitable[Extraction]: ...


@runtime_checkable
class KGStage(Protocol):
    """Put an extraction into the graph, as a generation that its job's completion makes visible."""

    def execute(self, context: StageContext, item: KGInput) -> Receipt: ...


class Stage(Protocol):
    """Any stage, as the engine sees it.

    One whose options leave something open, such as the newest vocabulary, says in an attribute `made_with` which options would
    have named what it uses; they are recorded with its outputs.
    """

    def execute(self, context: StageContext, item: Any) -> Any: ...


@runtime_checkable
class BatchStage(Protocol):
    """A stage that gains from batches: one outcome per document, in order; an error stands for its document alone.

    An exception raised by the call itself concerns the whole batch, which the engine then halves until the guilty document
    stands alone.
    """

    def execute_many(self, contexts: Sequence[StageContext], items: Sequence[Any]) -> Sequence[Any | LabError]: ...
