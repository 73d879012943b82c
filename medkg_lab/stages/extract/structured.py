"""The extract stage of the cpu profile: what the source's own codes state, and dictionary mentions in the passages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from medkg_lab.models.documents import Chunk, Document, Edge, Extraction, Mention, Node
from medkg_lab.stages.contracts import ExtractInput, StageContext
from medkg_lab.stages.extract.abbreviations import find_abbreviations
from medkg_lab.stages.extract.coded_statements import Statements, node_of, read_statements
from medkg_lab.stages.extract.dictionary import Dictionary, numbers
from medkg_lab.stages.extract.folding import fold, normalise
from medkg_lab.stages.extract.guards import is_something_else
from medkg_lab.stages.extract.passage import Passage
from medkg_lab.stages.extract.registry_claims import registry_claims
from medkg_lab.stages.extract.stated_claims import claim_edges
from medkg_lab.stages.extract.vocabulary import Concept, Vocabulary

_STUDIED = frozenset({"STUDIES", "TESTS"})
_SHADOW = ""
"""The node of an abbreviation whose meaning in this document is not in any vocabulary: it names nothing."""


_INDUCED = re.compile(r"(?:.*[\s-])?(?:induced|related|associated|dependent)[\s-](?=\S)", re.IGNORECASE)
_LEAST_SHARED = 5


def _share_a_word(long: str, concept: Concept) -> bool:
    """Whether a long form and a name of the concept have a word in common, of some length and but for its ending."""
    stems = {word[:_LEAST_SHARED] for word in normalise(long).split() if len(word) >= _LEAST_SHARED}
    return any(word[:_LEAST_SHARED] in stems for term in concept.terms for word in normalise(term).split())


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
        edges = [*statements.edges, *_mention_edges(statements, document, mentions, by_id, nodes)]
        edges += claim_edges(document, chunks, mentions, nodes)
        for claim in registry_claims(document, lambda code: node_of(code, document, self._vocabulary, statements.own)):
            for node in (claim.source, claim.target):
                nodes.setdefault(node.node_id, node)
            edges.append(
                Edge(
                    source=claim.source.node_id,
                    relation=claim.relation,
                    target=claim.target.node_id,
                    doc_id=document.doc_id,
                    evidence=claim.evidence,
                    rule=claim.rule,
                )
            )
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
            introduced.append((short, self._meaning(short, long, meanings)))
        return Dictionary([*introduced, *terms])

    def _meaning(self, short: str, long: str, own: dict[str, str]) -> str:
        """The node that a long form names: itself, without a plural s, what it says is induced, or what the short form
        usually means
        if the two share a word."""
        folded = normalise(long)
        if not folded:
            return _SHADOW
        for form in numbers(folded):
            if form in own:
                return own[form]
            if concept := self._vocabulary.by_term.get(form):
                return concept.node_id
        induced = _INDUCED.match(long)
        begins = (0, induced.end()) if induced else (0,)
        for match in self._dictionary.find(long):
            if match.end == len(long) and match.start in begins:
                return match.node_id
        usual = self._vocabulary.by_term.get(normalise(short))
        return usual.node_id if usual and _share_a_word(long, usual) else _SHADOW

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
            if node_id != _SHADOW and not is_something_else(text, start, end):
                yield Mention(chunk_id=chunk.chunk_id, start=start, end=end, text=text[start:end], node_id=node_id)


def _mention_edges(
    statements: Statements,
    document: Document,
    mentions: Sequence[Mention],
    chunks: dict[str, Chunk],
    nodes: Mapping[str, Node],
) -> Iterator[Edge]:
    """One edge per chunk, node and relation: the first such mention is its evidence."""
    seen: set[tuple[str, str, str]] = set()
    studied = {edge.target for edge in statements.edges if edge.relation in _STUDIED}
    kinds = {node_id: node.kind for node_id, node in nodes.items()}
    for chunk_id, group in groupby(mentions, key=lambda mention: mention.chunk_id):
        passage = Passage(chunks[chunk_id], tuple(group), kinds, studied)
        for mention, relation in passage.relations():
            key = (chunk_id, mention.node_id, relation)
            if key not in seen and mention.node_id != statements.subject:
                seen.add(key)
                yield Edge(
                    source=statements.subject,
                    relation=relation,
                    target=mention.node_id,
                    doc_id=document.doc_id,
                    chunk_id=chunk_id,
                    start=mention.start,
                    end=mention.end,
                    evidence=passage.sentence(mention.start, mention.end),
                )
