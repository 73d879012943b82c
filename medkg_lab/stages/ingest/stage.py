"""Finding a submission's bytes: those that came with it, a file within the allowed folders, or a source by id or query."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from medkg_lab.models.identity import FILE_SOURCE
from medkg_lab.models.submission import Content, Payload, Submission
from medkg_lab.sources import sniff
from medkg_lab.sources.adapter import Adapter
from medkg_lab.sources.documents import LocalDocument, documents_in
from medkg_lab.sources.errors import NoContent, UnknownSource
from medkg_lab.sources.roots import read_allowed
from medkg_lab.stages.contracts import StageContext


class SourceIngest:
    """Finds a submission's bytes. It speaks to the outside only through the context."""

    def __init__(self, sources: Mapping[str, Adapter], roots: Sequence[Path], max_bytes: int) -> None:
        self._sources = sources
        self._roots = tuple(roots)
        self._max_bytes = max_bytes

    def execute(self, context: StageContext, item: Submission) -> Payload | tuple[Submission, ...]:
        """The submission's payload, or one submission per document when it stands for many.

        Raises UnknownSource, NoContent, and what reading the file, the artifact or the source raises.
        """
        if item.content is not None:
            return self._given(context, item, item.content)
        if item.source == FILE_SOURCE:
            raise NoContent(key=item.key)
        source = self._sources.get(item.source)
        if source is None:
            raise UnknownSource(source=item.source, known=", ".join([*self._sources, FILE_SOURCE]))
        if item.key:
            return source.fetch(context, item.key)
        return source.search(context, item)

    def _given(self, context: StageContext, item: Submission, content: Content) -> Payload | tuple[Submission, ...]:
        if content.sha256 is not None:
            data, name, url, sha256 = context.content(content.sha256), content.name, None, content.sha256
        else:
            path, data = read_allowed(content.uri or "", self._roots, self._max_bytes)
            name, url, sha256 = content.name or path.name, content.uri, hashlib.sha256(data).hexdigest()
        documents = list(documents_in(data, name, item.key)) if _may_hold_many(data) else []
        if len(documents) > 1:
            return tuple(_submission(context, item, document) for document in documents)
        if content.uri is not None:
            context.store(data)
        media_type = content.media_type if content.media_type != sniff.OTHER else sniff.media_type(data)
        return Payload(
            sha256=sha256, media_type=media_type, size=len(data), name=name, source=item.source, key=item.key, url=url
        )


def _may_hold_many(data: bytes) -> bool:
    """Whether `data` may be an array, an API page or an article set, judged without parsing it."""
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    return head[:1] == b"[" or b"<pmc-articleset" in head or (head[:1] == b"{" and b'"studies"' in head[:64])


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
            "pipeline": item.pipeline or document.pipeline,
        }
    )
