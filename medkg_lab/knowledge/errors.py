"""What can go wrong in the knowledge process."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import DocumentError, LabError, ServiceError


class MixedModels(DocumentError):
    """The index holds vectors of {indexed}, and {doc_id} came with vectors of {given}: distances between the two mean nothing.
    Use the profile that made the index, or another lab (`--home`) for the other model."""

    failure_kind: ClassVar[str] = "mixed_models"


class UnusableDocument(DocumentError):
    """What was to be stored for {doc_id} does not fit together: {detail}. Look at the stage that made it with `medkg-lab jobs
    why`."""


class BatchFenced(LabError):
    """The batch {batch_id} lost its lease, so nothing is stored for it any more. Its jobs run again in another batch by
    themselves."""


class KnowledgeUnavailable(ServiceError):
    """The knowledge process did not store the batch: {detail}. `medkg-lab logs knowledge` shows what it met."""

    part: ClassVar[str | None] = "knowledge"


class _VectorsError(LabError):
    """The vectors cannot be searched: {detail}."""

    failure_kind: ClassVar[str] = "gpu_unavailable"
    """Without its GPU nothing is indexed, and nothing else takes its place."""


class FaissWithoutGpu(_VectorsError):
    """The vectors were to be searched on GPU {device}, but FAISS {version} {found}. Put the other FAISS in its place with
    `pip uninstall faiss-cpu` and `pip install faiss-gpu`, check the driver with `nvidia-smi`, or take `vectors_on_gpu` out of the
    profile's index options; they are never searched on the processor instead."""


class FaissMissing(LabError):
    """The vectors cannot be searched, because FAISS cannot be loaded: {detail}. Install it with
    `pip install --force-reinstall faiss-cpu` in the lab's environment, or faiss-gpu in its place for the gpu profile, and
    `medkg-lab restart knowledge`."""

    exit_code = exit_codes.NO_RESTART


class VectorsLost(_VectorsError):
    """GPU {device} failed while it held the vectors: {detail}. `medkg-lab restart knowledge` puts them there again from the
    store, which has them all."""


class VectorsOutOfMemory(_VectorsError):
    """GPU {device} has no room for the vectors: {detail}. Leave it more memory, set a larger `vectors_on_gpu.memory_mib` so that
    this shows at the start, and `medkg-lab restart knowledge`; the store has all vectors."""

    failure_kind: ClassVar[str] = "gpu_oom"


class KnowledgeUnreadable(LabError):
    """The knowledge process's answer is not what this version reads: {detail}. It may be of another version; restart the lab."""


class NoKnowledgeProcess(LabError):
    """This stage stores what it gets in the knowledge process, but this process has none to talk to. Run the stage in a lab."""

    exit_code = exit_codes.NO_RESTART


class NodeNotFound(LabError):
    """The graph has no node with the id or name {text!r}. `medkg-lab search` finds text that is not a node."""

    exit_code = exit_codes.USAGE


class PassageNotFound(LabError):
    """There is no published passage {chunk_id!r}. `medkg-lab search` shows the ids of passages that exist."""

    exit_code = exit_codes.USAGE


class KnowledgeDamaged(LabError):
    """The knowledge store {path} cannot be read: {detail}. Put a backup in its place, or move the folder away and submit the
    documents with `--again`."""

    exit_code = exit_codes.NO_RESTART


class LedgerRewound(LabError):
    """The ledger ends at event {head}, but the knowledge store has already read event {position}: they do not belong together.
    Put both back from the same backup, or move {path} away and submit the documents with `--again`."""

    exit_code = exit_codes.NO_RESTART


class KnowledgeInUse(LabError):
    """Another process uses the knowledge store {path}. It will be free when that process has ended; `medkg-lab status` shows
    it."""


class QueryBlank(LabError):
    """The query is blank. Say what to look for, such as `medkg-lab search "metformin in type 2 diabetes"`."""

    exit_code = exit_codes.USAGE


class QueryTooLong(LabError):
    """The query is too long: it has {length} characters, and {limit} are the most. Ask for less at once."""

    exit_code = exit_codes.USAGE


class QueryInvalid(LabError):
    """The query cannot be read at character {position}: {detail}. Text in quotation marks is taken as it stands."""

    exit_code = exit_codes.USAGE


class UnknownReranker(LabError):
    """There is no reranker called {name!r}. There are: {names}; `search.reranker` of the settings names one, or none."""

    exit_code = exit_codes.USAGE


class BrokenReranker(LabError):
    """The reranker {name!r} cannot be used: {detail}. Reinstall the package that brings it, or remove it from
    `search.reranker`."""
