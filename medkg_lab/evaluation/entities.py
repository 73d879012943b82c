"""Linking of mentions measured on annotated abstracts, through the extract stage itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medkg_lab.evaluation.measures import Agreement, Figures, agreement
from medkg_lab.mesh.pubtator import Abstract, Annotation
from medkg_lab.models.documents import Block, BlockKind, Chunk, ChunkSpan, Document, Mention, Place
from medkg_lab.stages.extract.structured import StructuredExtractor
from medkg_lab.stages.extract.vocabulary import Vocabulary

_DISEASES = frozenset({"disease", "symptom"})
_CHEMICALS = frozenset({"drug", "chemical"})
_PREFIX = "mesh:"


def kinds_judged(annotations: Iterable[Annotation]) -> frozenset[str]:
    """The kinds of concept that a corpus judges: what it does not annotate cannot be called wrong."""
    types = {annotation.type for annotation in annotations}
    chemicals = _CHEMICALS if "Chemical" in types else frozenset()
    return chemicals | (_DISEASES if types - {"Chemical"} else frozenset())


@dataclass(frozen=True, slots=True)
class VocabularySize:
    """Which vocabulary it was, and how large."""

    version: str
    concepts: int
    terms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitiesReport:
    """What the command prints.

    `strict` wants the same characters and a right id, `overlapping` a right id on some of the characters, `documents` the right
    ids of a document wherever they stand. `linkable` is the share of expected mentions with an id that the vocabulary has: no
    dictionary can find more.
    """

    eval: str = "entities"
    corpus: str
    documents_read: int
    vocabulary: VocabularySize
    expected_without_id: int
    linkable: float
    strict: Figures
    overlapping: Figures
    documents: Figures


def evaluate(abstracts: Sequence[Abstract], vocabulary: Vocabulary, corpus: str) -> EntitiesReport:
    """Extract from every abstract and compare."""
    extractor = StructuredExtractor(vocabulary)
    kinds = kinds_judged(annotation for abstract in abstracts for annotation in abstract.annotations)
    strict = overlapping = documents = Agreement(0, 0, 0)
    linkable = without_id = 0
    for abstract in abstracts:
        expected = [annotation for annotation in abstract.annotations if annotation.ids]
        without_id += len(abstract.annotations) - len(expected)
        linkable += sum(any(_PREFIX + one in vocabulary.by_id for one in each.ids) for each in expected)
        found = [mention for mention in _mentions(extractor, abstract) if _kind(mention, vocabulary) in kinds]
        strict += _matched(found, expected, exactly=True)
        overlapping += _matched(found, expected, exactly=False)
        ids = {one for each in expected for one in each.ids}
        documents += agreement({mention.node_id.removeprefix(_PREFIX) for mention in found}, ids)
    return EntitiesReport(
        corpus=corpus,
        documents_read=len(abstracts),
        vocabulary=VocabularySize(vocabulary.version, len(vocabulary.by_id), len(vocabulary.by_term)),
        expected_without_id=without_id,
        linkable=linkable / strict.expected if strict.expected else 0.0,
        strict=strict.figures(),
        overlapping=overlapping.figures(),
        documents=documents.figures(),
    )


def _kind(mention: Mention, vocabulary: Vocabulary) -> str:
    concept = vocabulary.by_id.get(mention.node_id)
    return concept.kind if concept else ""


def _mentions(extractor: StructuredExtractor, abstract: Abstract) -> tuple[Mention, ...]:
    doc_id = f"pubtator:{abstract.pmid}"
    blocks = (
        Block(kind=BlockKind.TITLE, text=abstract.title, place=Place(element="title")),
        Block(kind=BlockKind.ABSTRACT, text=abstract.abstract, place=Place(element="abstract")),
    )
    document = Document(doc_id=doc_id, source="pubtator", title=abstract.title, blocks=blocks)
    spans = tuple(ChunkSpan(block=n, start=0, end=len(block.text)) for n, block in enumerate(blocks))
    chunk = Chunk(chunk_id=f"{doc_id}#0", doc_id=doc_id, number=0, text=abstract.text, spans=spans)
    return extractor.extract(document, (chunk,)).mentions


def _matched(found: Sequence[Mention], expected: Sequence[Annotation], exactly: bool) -> Agreement:
    """Count each expected mention once at most."""
    left = list(expected)
    right = 0
    for mention in found:
        match = next((one for one in left if _fits(mention, one, exactly)), None)
        if match:
            left.remove(match)
            right += 1
    return Agreement(right, len(found), len(expected))


def _fits(mention: Mention, annotation: Annotation, exactly: bool) -> bool:
    if mention.node_id.removeprefix(_PREFIX) not in annotation.ids:
        return False
    if exactly:
        return (mention.start, mention.end) == (annotation.start, annotation.end)
    return mention.start < annotation.end and annotation.start < mention.end
