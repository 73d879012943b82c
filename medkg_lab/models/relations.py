"""How two publications belong together: the relations that a parsed document's metadata lists as `retraction-forward 10.1/x`.

Vocabularies: JATS related-article-type (https://jats.nlm.nih.gov/archiving/tag-library/1.3/attribute/related-article-type.html),
PubMed's RefType, and Crossref's relations.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

from medkg_lab.models.identifiers import Identifier, parse

KEY = "related_articles"
"""The key of a document's metadata that lists them: each a type of either vocabulary, a space, and an identifier."""


class Relation(StrEnum):
    """What a publication is to another one."""

    PREPRINT_OF = "preprint_of"
    HAS_PREPRINT = "has_preprint"
    VERSION_OF = "version_of"
    RETRACTS = "retracts"
    RETRACTED_BY = "retracted_by"
    CORRECTS = "corrects"
    CORRECTED_BY = "corrected_by"
    CONCERN_ABOUT = "concern_about"
    HAS_CONCERN = "has_concern"


INVERSES = {
    Relation.PREPRINT_OF: Relation.HAS_PREPRINT,
    Relation.VERSION_OF: Relation.VERSION_OF,
    Relation.RETRACTS: Relation.RETRACTED_BY,
    Relation.CORRECTS: Relation.CORRECTED_BY,
    Relation.CONCERN_ABOUT: Relation.HAS_CONCERN,
}
INVERSES |= {inverse: relation for relation, inverse in INVERSES.items()}


def _folded(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


PUBMED_REFERENCES = {
    "RetractionOf": Relation.RETRACTS,
    "RetractionIn": Relation.RETRACTED_BY,
    "PartialRetractionOf": Relation.RETRACTS,
    "PartialRetractionIn": Relation.RETRACTED_BY,
    "RetractedandRepublishedFrom": Relation.VERSION_OF,
    "RetractedandRepublishedIn": Relation.RETRACTED_BY,
    "CorrectedandRepublishedFrom": Relation.VERSION_OF,
    "CorrectedandRepublishedIn": Relation.VERSION_OF,
    "ErratumFor": Relation.CORRECTS,
    "ErratumIn": Relation.CORRECTED_BY,
    "ExpressionOfConcernFor": Relation.CONCERN_ABOUT,
    "ExpressionOfConcernIn": Relation.HAS_CONCERN,
    "UpdateOf": Relation.VERSION_OF,
    "UpdateIn": Relation.VERSION_OF,
    "RepublishedFrom": Relation.VERSION_OF,
    "RepublishedIn": Relation.VERSION_OF,
}
"""Values of RefType (https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html#commentscorrections)."""

JATS_TYPES = {
    "retracted-article": Relation.RETRACTS,
    "partially-retracted-article": Relation.RETRACTS,
    "withdrawn-article": Relation.RETRACTS,
    "removed-article": Relation.RETRACTS,
    "withdrawal": Relation.RETRACTED_BY,
    "withdrawal-forward": Relation.RETRACTED_BY,
    "partial-retraction": Relation.RETRACTS,
    "retraction-forward": Relation.RETRACTED_BY,
    "retraction": Relation.RETRACTED_BY,
    "corrected-article": Relation.CORRECTS,
    "correction-forward": Relation.CORRECTED_BY,
    "correction": Relation.CORRECTED_BY,
    "object-of-concern": Relation.CONCERN_ABOUT,
    "concern-forward": Relation.HAS_CONCERN,
    "expression-of-concern": Relation.HAS_CONCERN,
    "preprint": Relation.HAS_PREPRINT,
    "has-preprint": Relation.HAS_PREPRINT,
    "is-preprint-of": Relation.PREPRINT_OF,
    "published-article": Relation.PREPRINT_OF,
    "article-version": Relation.VERSION_OF,
    "version-of-record": Relation.VERSION_OF,
    "is-version-of": Relation.VERSION_OF,
    "has-version": Relation.VERSION_OF,
    "updated-article": Relation.VERSION_OF,
    "update": Relation.VERSION_OF,
    "republished-article": Relation.VERSION_OF,
    "republication": Relation.VERSION_OF,
}
"""Values of related-article-type that say more than that two articles are about the same."""


_BY_NAME = {_folded(name): relation for names in (JATS_TYPES, PUBMED_REFERENCES) for name, relation in names.items()}


def read(texts: Iterable[str], is_preprint: bool = False) -> Iterator[tuple[Relation, Identifier]]:
    """The relations that a document's metadata lists; what says less than they do is passed over.

    The other version of a preprint is its article, unless the preprint says otherwise.
    """
    for text in texts:
        kind, _, other = text.partition(" ")
        relation, one = _BY_NAME.get(_folded(kind)), parse(other)
        if relation is not None and one is not None:
            yield (Relation.PREPRINT_OF if is_preprint and relation is Relation.VERSION_OF else relation), one
