"""The knowledge store with its indexes, kept consistent: what the server's operations do."""

import fcntl
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from medkg_lab.errors import LabError
from medkg_lab.knowledge import generation_writer, messages, passages, publishing, retrievers
from medkg_lab.knowledge.answers import KnowledgeHealth
from medkg_lab.knowledge.catalogue import Catalogue
from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.effects import Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.errors import KnowledgeDamaged, KnowledgeInUse, UnusableDocument
from medkg_lab.knowledge.faiss_index import CpuFlatIndex
from medkg_lab.knowledge.gpu_index import on_gpu
from medkg_lab.knowledge.graph import Graph
from medkg_lab.knowledge.locks import ReadWriteLock
from medkg_lab.knowledge.messages import GraphDocument, TextDocument
from medkg_lab.knowledge.search import Indexes, Searcher
from medkg_lab.knowledge.sparse_index import SparseIndex
from medkg_lab.knowledge.vector_index import Make, VectorIndex
from medkg_lab.knowledge.word_index import WordIndex
from medkg_lab.logs import fields
from medkg_lab.models.stored import Stored
from medkg_lab.settings import SearchSettings
from medkg_lab.stages.index.options import VectorsOnGpu

_LOG = logging.getLogger(__name__)
_COUNTS = """
WITH g AS (SELECT id, tenant, doc_id FROM generation WHERE state = 'published')
SELECT (SELECT count(*) FROM g),
    (SELECT count(*) FROM chunk WHERE generation IN (SELECT id FROM g)),
    (SELECT coalesce(sum(chunks), 0)::BIGINT FROM vector WHERE generation IN (SELECT id FROM g)),
    (SELECT count(DISTINCT node_id) FROM node WHERE generation IN (SELECT id FROM g)),
    (SELECT count(*) FROM (SELECT DISTINCT source, relation, target FROM edge WHERE generation IN (SELECT id FROM g)))
"""

_DEFAULT_SEARCH = SearchSettings()


class Knowledge:
    """The store in `folder`. `stage_*`, `apply` and `close` belong to one writing thread; the rest may run in any.

    Raises KnowledgeInUse when another process has it and KnowledgeDamaged when it cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        encoders: Encoders,
        profile: str,
        settings: SearchSettings = _DEFAULT_SEARCH,
        vectors_on_gpu: VectorsOnGpu | None = None,
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held = _lock(folder / "lock", folder)
        try:
            self.database = Database(folder / "knowledge.duckdb")
        except KnowledgeDamaged:
            os.close(self._held)
            raise
        self._texts = WordIndex.follow(folder / "bm25", self.database, settings.boosts)
        self._vectors = VectorIndex.follow(folder, self.database, _where(vectors_on_gpu))
        self._sparse = SparseIndex.follow(self.database)
        self._catalogue = Catalogue.follow(self.database)
        self._lock = ReadWriteLock()
        self.graph = Graph(self.database)
        self._packaged = retrievers.follow(settings.retrievers, self.database)
        indexes = Indexes(self._texts, self._vectors, self._sparse, self._catalogue, self._packaged)
        self.searcher = Searcher(self.database, indexes, encoders, self._lock, profile, settings)

    def stage_text(self, batch_id: str, documents: Sequence[object]) -> list[Stored | LabError]:
        """Stage documents for search; one answer per document. Raises BatchFenced."""
        checked, bad = messages.check(TextDocument, documents)
        if (failure := self._vectors.failure) is not None:
            bad |= dict.fromkeys(checked, failure)
            checked = {}
        good = {}
        for number, document in checked.items():
            try:
                document.sparse_vectors()
                good[number] = (document, document.matrix())
            except UnusableDocument as error:
                bad[number] = error
        bad |= generation_writer.stage_text(self.database, batch_id, good)
        counts = {n: Stored(doc.doc_id, len(doc.chunks)) for n, (doc, _) in good.items() if n not in bad}
        return messages.outcomes(counts, bad)

    def stage_graph(self, batch_id: str, documents: Sequence[object]) -> list[Stored | LabError]:
        """Stage documents' parts of the graph; answers as `stage_text`, counting nodes and edges. Raises BatchFenced."""
        good, bad = messages.check(GraphDocument, documents)
        generation_writer.stage_graph(self.database, batch_id, good.values())
        counts = {number: Stored(doc.doc_id, len(doc.nodes) + len(doc.edges)) for number, doc in good.items()}
        return messages.outcomes(counts, bad)

    def apply(self, effects: Sequence[Effect], seq: int) -> None:
        """Take in the effects of the ledger's events up to `seq`; on return they are durable and seen by every search.

        The graph turns with the store's commit; text and vectors turn together, as soon as the text index has committed.
        """
        publication = publishing.apply(self.database, effects, seq)
        if not publication:
            return
        manifest = self.database.manifest()
        self._texts.write(self.database, self._texts.revision, publication.revision, publication.gone)
        blocks = passages.blocks(self.database, publication.generations)
        added = list(VectorIndex.fetch(self.database, blocks, manifest))
        sparse = list(SparseIndex.fetch(self.database, blocks))
        known = Catalogue.fetch(self.database, publication.generations)
        read = list(passages.texts(self.database, publication.generations)) if self._packaged else []
        with self._lock.writing():
            self._texts.reload()
            self._vectors.swap(publication.revision, manifest, added, publication.replaced)
            self._sparse.swap(sparse, publication.replaced)
            self._catalogue.swap(known, publication.replaced)
            for one in self._packaged:
                one.swap(read, publication.replaced)
        if publication.gone:
            publishing.erase(self.database)
        self._vectors.maintain()

    def vector_model(self) -> str | None:
        """The model of the vectors that are stored, or None while there are none."""
        manifest = self.database.manifest()
        return manifest and manifest[0]

    def counts(self) -> dict[str, int]:
        """How much is published; nodes and edges are counted once however many documents name them."""
        names = ("documents", "chunks", "vectors", "nodes", "edges")
        return dict(zip(names, self.database.rows(_COUNTS)[0], strict=True))

    def health(self, position: int = 0, ledger: str = "none") -> KnowledgeHealth:
        """Revisions and sizes of the store and of its indexes: they agree whenever nothing is being published.

        `position` and `ledger` are what its follower says, if it has one.
        """
        manifest = self.database.manifest()
        return KnowledgeHealth(
            position=position,
            ledger=ledger,
            revision=self.database.position("revision"),
            text_revision=self._texts.revision,
            vector_revision=self._vectors.revision,
            chunks=passages.chunk_count(self.database),
            text_chunks=len(self._texts),
            vector_chunks=len(self._vectors),
            vectors_off=None if self._vectors.failure is None else str(self._vectors.failure),
            sparse_chunks=len(self._sparse),
            sparse_model=self._sparse.model,
            model=manifest and manifest[0],
            dimension=manifest and manifest[1],
        )

    def close(self) -> None:
        """Keep a snapshot of the vectors and let go of every file."""
        self._vectors.save()
        self._texts.close()
        self.database.close()
        os.close(self._held)


def _where(gpu: VectorsOnGpu | None) -> Make | LabError:
    """What makes the index of vectors, or why there can be none. Everything else that is stored can be searched without."""
    if gpu is None:
        return CpuFlatIndex
    try:
        return on_gpu(gpu)
    except LabError as error:
        _LOG.error("%s", error, extra=fields(event="vectors.failed"))
        return error


def _lock(path: Path, folder: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise KnowledgeInUse(path=folder) from None
    return handle
