"""The extract stage of the cpu profile: what the source's own codes state, and dictionary mentions in the passages."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from medkg_lab.models.ir import Chunk, Document, Edge, Extraction, Mention, Node
from medkg_lab.stages.contracts import ExtractInput, StageContext
from medkg_lab.stages.extract.abbreviations import find_abbreviations
from medkg_lab.stages.extract.dictionary import Dictionary
from medkg_lab.stages.extract.folding import fold, normalise
from medkg_lab.stages.extract.negation import Negations
from medkg_lab.stages.extract.statements import Statements, read_statements
from medkg_lab.stages.extract.vocabulary import Vocabulary

MENTIONS = "MENTIONS"
DENIES = "MENTIONS_ABSENCE_OF"
EXCLUDES = "EXCLUDES"
_EXCLUSION = re.compile(r"\bexclusion criteri", re.IGNORECASE)
_EVIDENCE_CHARACTERS = 240
_SENTENCE_END = re.compile(r"[.!?]\s|\n")
_SHADOW = ""
"""The node of an abbreviation whose meaning in this document is not in any vocabulary: it names nothing."""


class StructuredExtractor:
    """Entities and statements without a language model; the same input gives the same output in the same order."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.made_with = {"vocabulary": vocabulary.version}
        self._dictionary = Dictionary(vocabulary.terms())

    def execute(self, context: StageContext, item: ExtractInput) -> Extraction:
        """Extract from one document."""
        return self.extract(item.document, item.chunks)

    def extract(self, document: Document, chunks: Sequence[Chunk]) -> Extraction:
        """What the codes of `document` state and which known terms its `chunks` mention, with chunk and offsets."""
        statements = read_statements(document, self._vocabulary)
        own = self._own_terms(statements, chunks)
        mentions = [mention for chunk in chunks for mention in self._mentions(chunk, own)]
        by_id = {chunk.chunk_id: chunk for chunk in chunks}
        nodes = dict(statements.nodes)
        for node_id in dict.fromkeys(mention.node_id for mention in mentions):
            if node_id not in nodes:
                nodes[node_id] = self._node(node_id)
        edges = [*statements.edges, *_mention_edges(statements.subject, document, mentions, by_id)]
        return Extraction(
            doc_id=document.doc_id, nodes=tuple(nodes.values()), edges=tuple(edges), mentions=tuple(mentions)
        )

    def _node(self, node_id: str) -> Node:
        concept = self._vocabulary.by_id[node_id]
        return Node(node_id=node_id, kind=concept.kind, name=concept.name)

    def _own_terms(self, statements: Statements, chunks: Sequence[Chunk]) -> Dictionary:
        """The document's own vocabulary: abbreviations that it introduces, then the terms of its codes."""
        terms = list(statements.terms)
        meanings = {normalise(term): node_id for term, node_id in reversed(terms)}
        introduced = []
        for short, long in find_abbreviations(chunk.text for chunk in chunks).items():
            introduced.append((short, self._meaning(long, meanings)))
        return Dictionary([*introduced, *terms])

    def _meaning(self, long: str, own: dict[str, str]) -> str:
        """The node that a long form names: itself, without a plural s, or the longest known term at its end."""
        folded = normalise(long)
        for form in (folded, folded.removesuffix("s")):
            if form in own:
                return own[form]
            if concept := self._vocabulary.by_term.get(form):
                return concept.node_id
        at_end = [match for match in self._dictionary.find(long) if match.end == len(long) and match.start == 0]
        return at_end[0].node_id if at_end else _SHADOW

    def _mentions(self, chunk: Chunk, own: Dictionary) -> Iterator[Mention]:
        """Mentions in one chunk: the longest match counts, the document's own vocabulary before the common one."""
        text = chunk.text
        folded = fold(text)
        matches = [(start, -end, 0, node_id) for start, end, node_id in own.find(text, folded)]
        matches += [(start, -end, 1, node_id) for start, end, node_id in self._dictionary.find(text, folded)]
        reached = 0
        for start, negative_end, _, node_id in sorted(matches):
            if start < reached:
                continue
            end = reached = -negative_end
            if node_id != _SHADOW:
                yield Mention(chunk_id=chunk.chunk_id, start=start, end=end, text=text[start:end], node_id=node_id)


class _Reading:
    """What a chunk says around its mentions."""

    def __init__(self, chunk: Chunk) -> None:
        self._text = chunk.text
        self._excludes = any(_EXCLUSION.search(part) for part in chunk.section)
        self._negations = Negations(chunk.text)
        self._ends = [match.end() for match in _SENTENCE_END.finditer(chunk.text)]

    def relation(self, mention: Mention) -> str:
        """How the document speaks of what is mentioned."""
        if self._excludes:
            return EXCLUDES
        return DENIES if self._negations.denies(mention.start, mention.end) else MENTIONS

    def sentence(self, start: int, end: int) -> str:
        """The sentence around a mention, cut to `_EVIDENCE_CHARACTERS` with the mention inside."""
        text, ends = self._text, self._ends
        half = (_EVIDENCE_CHARACTERS - min(end - start, _EVIDENCE_CHARACTERS)) // 2
        left, right = max(0, start - half), min(len(text), end + half)
        before, after = bisect_right(ends, start) - 1, bisect_left(ends, end + 1)
        if before >= 0 and ends[before] > left:
            left = ends[before]
        elif left:
            left = text.find(" ", left, start) + 1 or left
        if after < len(ends) and ends[after] <= right:
            right = ends[after]
        return text[left:right].strip()


def _mention_edges(
    subject: str, document: Document, mentions: Sequence[Mention], chunks: dict[str, Chunk]
) -> Iterator[Edge]:
    """One edge per chunk, node and relation: the first such mention is its evidence."""
    seen: set[tuple[str, str, str]] = set()
    readings: dict[str, _Reading] = {}
    for mention in mentions:
        reading = readings.get(mention.chunk_id)
        if reading is None:
            reading = readings[mention.chunk_id] = _Reading(chunks[mention.chunk_id])
        relation = reading.relation(mention)
        key = (mention.chunk_id, mention.node_id, relation)
        if key not in seen and mention.node_id != subject:
            seen.add(key)
            yield Edge(
                source=subject,
                relation=relation,
                target=mention.node_id,
                doc_id=document.doc_id,
                chunk_id=mention.chunk_id,
                start=mention.start,
                end=mention.end,
                evidence=reading.sentence(mention.start, mention.end),
            )
