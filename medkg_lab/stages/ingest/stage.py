"""Finding a submission's bytes: those that came with it, a file within the allowed folders, or a source by id or query."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from medkg_lab.models.identity import FILE_SOURCE
from medkg_lab.models.submission import Content, Payload, Submission
from medkg_lab.sources import sniff
from medkg_lab.sources.adapter import Adapter
from medkg_lab.sources.allowed_roots import read_allowed
from medkg_lab.sources.documents import PARTIAL, LocalDocument, documents_in
from medkg_lab.sources.encodings import text_head
from medkg_lab.sources.errors import ContainerRefused, NoContent, UnknownSource
from medkg_lab.stages.contracts import StageContext


class SourceIngest:
    """Finds a submission's bytes. It speaks to the outside only through the context."""

    def __init__(self, sources: Mapping[str, Adapter], roots: Sequence[Path], max_bytes: int) -> None:
        self._sources = sources
        self._roots = tuple(roots)
        self._max_bytes = max_bytes

    async def execute(self, context: StageContext, item: Submission) -> Payload | tuple[Submission, ...]:
        """The submission's payload, or one submission per document when it stands for many.

        Raises UnknownSource, NoContent, and what reading the file, the artifact or the source raises.
        """
        if item.content is not None:
            return self._from_submission(context, item, item.content)
        if item.source == FILE_SOURCE:
            raise NoContent(key=item.key)
        source = self._sources.get(item.source)
        if source is None:
            raise UnknownSource(source=item.source, known=", ".join([*self._sources, FILE_SOURCE]))
        if item.key:
            return await source.fetch(context, item.key)
        return await source.search(context, item)

    def _from_submission(
        self, context: StageContext, item: Submission, content: Content
    ) -> Payload | tuple[Submission, ...]:
        if content.sha256 is not None:
            data, name, url, sha256 = context.content(content.sha256), content.name, None, content.sha256
        else:
            path, data = read_allowed(content.uri or "", self._roots, self._max_bytes)
            name, url, sha256 = content.name or path.name, content.uri, hashlib.sha256(data).hexdigest()
        documents = _documents(data, name, item.key)
        packed = sniff.sniff(data) not in (sniff.Format.JSON, sniff.Format.XML)
        if len(documents) > 1 or (documents and packed):
            return tuple(_submission(context, item, document) for document in documents)
        if content.uri is not None:
            context.store(data)
        known = content.media_type != sniff.OTHER
        media_type = content.media_type if known else sniff.media_type_of(data, name)
        return Payload(
            sha256=sha256, media_type=media_type, size=len(data), name=name, source=item.source, key=item.key, url=url
        )


def _documents(data: bytes, name: str, key: str) -> list[LocalDocument]:
    """The documents that bytes hold, none when they are plainly one. Raises ContainerRefused.

    Nobody sees what an ingest stage passes over, so a container with a member that is not safe or not whole is refused.
    """
    if not _may_hold_many(data, name):
        return []
    documents: list[LocalDocument] = []
    others: list[str] = []
    for found in documents_in(data, name, key):
        if isinstance(found, LocalDocument):
            documents.append(found)
        elif found.is_other:
            others.append(found.reason)
        else:
            raise ContainerRefused(name=found.name, detail=found.reason)
    if not documents:
        raise ContainerRefused(name=name, detail=f"none of its {len(others)} members is a document")
    return documents


_SETS = (b"<pmc-articleset", b"<OAI-PMH", b"<PubmedArticleSet", b"<collection")


def _may_hold_many(data: bytes, name: str) -> bool:
    """Whether `data` may be a container, a table, a list or a set, judged without parsing it."""
    kind = sniff.sniff(data)
    if kind is sniff.Format.JSON:
        head = text_head(data[:4096]).lstrip()
        return head.startswith("[") or '"protocolSection"' not in head
    if kind is sniff.Format.XML:
        return any(mark in data[:4096] for mark in _SETS)
    return kind in sniff.CONTAINERS or sniff.promised(name) == sniff.CSV


def _submission(context: StageContext, item: Submission, document: LocalDocument) -> Submission:
    content = Content(
        sha256=context.store(document.data), media_type=document.media_type, size=len(document.data), name=document.name
    )
    return item.model_copy(
        update={
            "source": document.source,
            "key": document.key,
            "query": None,
            # What many documents came in is a version of none of them.
            "replaces": None,
            "content": content,
            "metadata": {**item.metadata, PARTIAL: "yes"} if document.partial else item.metadata,
            "pipeline": item.pipeline or document.pipeline,
        }
    )
