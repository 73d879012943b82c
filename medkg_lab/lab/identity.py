"""Which document each content is: one that is there already, a new version of one, or a new one. Content decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from medkg_lab.ledger.client import LedgerClient
from medkg_lab.ledger.named_queries import Named
from medkg_lab.models.identity import DIGITS, FILE_SOURCE, file_id
from medkg_lab.models.submission import Submission
from medkg_lab.sources.documents import PARTIAL

_MOST = 10_000
_DIGITS_OF_TWINS = 32

What = Literal["new", "known", "replaces"]


class Version(NamedTuple):
    """The content that a document has, and since when, in seconds since the epoch."""

    content: str
    since: float


@dataclass(frozen=True)
class Identified:
    """A submission with its document's id; `what` says whether the content is new, known, or takes the place of another's.

    `other` is the id of the document that has this content already, where its name is another one; `before` the submission as an
    older lab made it, which is the same job.
    """

    submission: Submission
    what: What
    other: str = ""
    replaced: Version | None = None
    before: Submission | None = None

    @property
    def is_poorer(self) -> bool:
        """Whether it would take the place of another content with a part of what the registry gives."""
        return self.what == "replaces" and PARTIAL in self.submission.metadata


class Identities:
    """The documents of one tenant, asked of the ledger; within one call what was identified before counts too."""

    def __init__(self, ledger: LedgerClient, tenant: str) -> None:
        self._ledger = ledger
        self._tenant = tenant
        self._seen: dict[str, Submission] = {}

    def of(self, submissions: Sequence[Submission]) -> list[Identified]:
        """Each of the submissions, which have contents by hash, as the document that it is."""
        files = [one.content.sha256 for one in submissions if one.source == FILE_SOURCE and one.content]
        owners = self._owners([content for content in files if content])
        versions = self._versions([one.doc_id for one in submissions])
        return [self._one(one, owners, versions) for one in submissions]

    def version(self, doc_id: str) -> Version | None:
        """The version that a document has now; None while none of it was completed."""
        return self._versions([doc_id]).get(doc_id)

    def _one(
        self, one: Submission, owners: Mapping[str, tuple[str, str]], versions: Mapping[str, Version]
    ) -> Identified:
        content = (one.content.sha256 if one.content else None) or ""
        there = versions.get(one.doc_id)
        if one.replaces is not None or one.source != FILE_SOURCE:
            replaced = there if there is not None and there.content != content else None
            what: What = "new" if there is None else "known" if replaced is None else "replaces"
            return Identified(one, what, replaced=replaced)
        if (twin := self._seen.get(content)) is not None:
            same = twin.key == one.key
            return Identified(twin, "known", other="" if same else twin.doc_id)
        if content in owners:
            doc_id, key = owners[content]
            # Under the key that it came by, the same work is the same job; an id of an older lab has no hash and is kept.
            named = one.model_copy(update={"key": key})
            found = named if named.doc_id == doc_id else named.model_copy(update={"replaces": doc_id})
            self._seen[content] = found
            return Identified(found, "known", other="" if key == one.key else doc_id, before=named)
        if there is not None and there.content != content:
            # Two contents whose hashes begin alike, which nobody meets by chance: the id gets more of the hash.
            longer = file_id(one.key, content, _DIGITS_OF_TWINS)
            one = one.model_copy(update={"replaces": longer})
        self._seen[content] = one
        return Identified(one, "new")

    def _owners(self, contents: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Of the contents that documents from files have, or had first: the document's id and the key that it came by."""
        if not contents:
            return {}
        digits = sorted({content[:DIGITS] for content in contents})
        rows = [
            *self._rows(Named.COMPLETED_CONTENTS, FILE_SOURCE, list(contents)),
            *self._rows(Named.SUBMITTED_CONTENTS, FILE_SOURCE, digits),
        ]
        found: dict[str, tuple[str, str]] = {}
        for content, doc_id, key, _ in sorted(rows, key=lambda row: int(str(row[3]))):
            if content in contents:
                found.setdefault(str(content), (str(doc_id), str(key)))
        return found

    def _versions(self, doc_ids: Sequence[str]) -> dict[str, Version]:
        rows = self._rows(Named.VERSIONS, sorted(set(doc_ids))) if doc_ids else []
        return {str(doc_id): Version(str(content), float(str(since))) for doc_id, content, since in rows}

    def _rows(self, query: Named, *parameters: object) -> list[Sequence[object]]:
        return list(self._ledger.rows(query, [self._tenant, *parameters], limit=_MOST).rows)
