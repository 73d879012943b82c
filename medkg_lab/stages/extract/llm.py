"""The extract stage of the gpu profile: codes and dictionary, and the claims that a language model reads from the passages."""

import logging
from collections.abc import Iterator

import orjson

from medkg_lab.models.documents import Chunk, Document, Edge, Extraction, Node
from medkg_lab.stages.contracts import ExtractInput, StageContext
from medkg_lab.stages.extract.claims import Claim, find_evidence, read_claims, request_body
from medkg_lab.stages.extract.errors import LlmUnusable
from medkg_lab.stages.extract.folding import term_id
from medkg_lab.stages.extract.llm_endpoint import request, short
from medkg_lab.stages.extract.options import LlmOptions
from medkg_lab.stages.extract.structured import StructuredExtractor
from medkg_lab.stages.extract.vocabulary import Vocabulary

_LOG = logging.getLogger(__name__)


class LlmExtractor:
    """Adds claims to what the structured extractor finds; a passage whose claims cannot be had fails the document."""

    def __init__(self, vocabulary: Vocabulary, options: LlmOptions) -> None:
        self._vocabulary = vocabulary
        self._structured = StructuredExtractor(vocabulary)
        self._options = options

    async def execute(self, context: StageContext, item: ExtractInput) -> Extraction:
        """Extract from one document. Raises LlmDown, LlmFailed, LlmUnusable or LlmOutOfMemory: all claims or no result."""
        found = self._structured.extract(item.document, item.chunks)
        nodes = {node.node_id: node for node in found.nodes}
        edges = list(found.edges)
        for chunk in item.chunks:
            if chunk.kind == "text":
                edges += self._edges(item.document, chunk, await self._claims(context, chunk), nodes)
        return found.model_copy(update={"nodes": tuple(nodes.values()), "edges": tuple(edges)})

    async def _claims(self, context: StageContext, chunk: Chunk) -> tuple[Claim, ...]:
        chosen = self._options
        asked = request_body(chunk, chosen.model, chosen.max_tokens)
        body = await request(context.http, chosen, "chat/completions", asked, chosen.timeout_seconds)
        try:
            return read_claims(orjson.loads(body))
        except ValueError as error:
            raise LlmUnusable(url=chosen.base_url, chunk=chunk.chunk_id, detail=short(str(error))) from error

    def _edges(
        self, document: Document, chunk: Chunk, claims: tuple[Claim, ...], nodes: dict[str, Node]
    ) -> Iterator[Edge]:
        """The claims that stand in the passage, as edges; others are skipped, because nothing would vouch for them."""
        for claim in dict.fromkeys(claims):
            place = find_evidence(claim, chunk.text)
            if place is None:
                _LOG.info("a claim without its evidence in %s is skipped", chunk.chunk_id)
                continue
            ends = [self._node(claim.subject), self._node(claim.object)]
            nodes.update({node.node_id: node for node in ends if node.node_id not in nodes})
            yield Edge(
                source=ends[0].node_id,
                relation=claim.relation,
                target=ends[1].node_id,
                doc_id=document.doc_id,
                chunk_id=chunk.chunk_id,
                start=place[0],
                end=place[1],
                evidence=chunk.text[place[0] : place[1]],
            )

    def _node(self, term: str) -> Node:
        concept = self._vocabulary.named(term)
        if concept is not None:
            return Node(node_id=concept.node_id, kind=concept.kind, name=concept.name)
        return Node(node_id=term_id(term), kind="concept", name=term)
