"""Claims of a language model behind a real HTTP server: borne out by the passage, or skipped, or a typed error."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.errors import ServiceError
from medkg_lab.models.documents import Block, BlockKind, Chunk, ChunkSpan, Document, Extraction, Place
from medkg_lab.sources.http_client import HttpxClient
from medkg_lab.stages.contracts import ExtractInput
from medkg_lab.stages.extract.claims import Claim, find_evidence, read_claims
from medkg_lab.stages.extract.errors import LlmDown, LlmFailed, LlmOutOfMemory, LlmUnusable
from medkg_lab.stages.extract.implementation import LLM
from medkg_lab.stages.registry import Resources
from tests.unit.contexts import stage_context
from tests.unit.embed.fake_endpoint import Answer, Endpoint, Respond, failure, serving

TEXT = "Metformin lowered\nHbA1c in adults. Rash was common."
GOOD = {
    "subject": "metformin",
    "relation": "REDUCES",
    "object": "HbA1c",
    "evidence": "Metformin lowered HbA1c in adults.",
}


def item() -> ExtractInput:
    block = Block(kind=BlockKind.ABSTRACT, text=TEXT, place=Place(element="abstract"))
    document = Document(doc_id="file:a", source="file", title="T", blocks=(block,))
    spans = (ChunkSpan(block=0, start=0, end=len(TEXT)),)
    return ExtractInput(document, (Chunk(chunk_id="file:a#0", doc_id="file:a", number=0, text=TEXT, spans=spans),))


def completion(content: Any, finish: str = "stop") -> Answer:
    body = {"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": finish}]}
    return 200, "application/json", json.dumps(body).encode()


def claims(*given: dict[str, str]) -> Answer:
    return completion(json.dumps({"claims": list(given)}))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as one:
        yield one


def extract(url: str, **options: Any) -> Extraction:
    given = LLM.parse_options({"base_url": url, "model": "m", "vocabulary": "bundled", **options})
    stage = LLM.build(Resources(cache=Path("unused")), given)
    with HttpxClient() as http:
        found = asyncio.run(stage.execute(stage_context("file:a", http=http)[0], item()))
    assert isinstance(found, Extraction)
    return found


def test_a_claim_that_the_passage_bears_out_becomes_an_edge_with_its_place(endpoint: Endpoint) -> None:
    endpoint.respond = lambda _: claims(GOOD, GOOD)
    found = extract(endpoint.url)
    [edge] = [edge for edge in found.edges if edge.relation == "REDUCES"]
    assert edge.source == "mesh:D008687"
    assert (edge.chunk_id, TEXT[edge.start : edge.end]) == ("file:a#0", "Metformin lowered\nHbA1c in adults.")
    assert {edge.source, edge.target} <= {node.node_id for node in found.nodes}
    [asked] = endpoint.requests
    assert asked["temperature"] == 0
    assert asked["response_format"]["json_schema"]["strict"] is True
    assert asked["messages"][1]["content"] == TEXT


@pytest.mark.parametrize(
    "change",
    [
        {"evidence": "Metformin cured everyone."},
        {"subject": "aspirin"},
        {"object": "rash"},
    ],
)
def test_a_claim_that_the_passage_does_not_bear_out_is_left_out(endpoint: Endpoint, change: dict[str, str]) -> None:
    endpoint.respond = lambda _: claims({**GOOD, **change})
    assert {edge.relation for edge in extract(endpoint.url).edges} <= {"MENTIONS"}


@pytest.mark.parametrize(
    ("respond", "error", "kind"),
    [
        (failure(429, "slow down"), LlmFailed, "gpu_unavailable"),
        (failure(500, "internal"), LlmFailed, "gpu_unavailable"),
        (failure(500, "CUDA out of memory"), LlmOutOfMemory, "gpu_oom"),
        (lambda _: (200, "text/html", b"<html>"), LlmUnusable, "gpu_unavailable"),
        (lambda _: (200, "application/json", b"{"), LlmUnusable, "gpu_unavailable"),
        (lambda _: (200, "application/json", b"[]"), LlmUnusable, "gpu_unavailable"),
        (lambda _: completion('{"claims": [{"subject": "metf', "length"), LlmUnusable, "gpu_unavailable"),
        (lambda _: completion('{"claims": [{"subject": "metf'), LlmUnusable, "gpu_unavailable"),
        (lambda _: completion(None), LlmUnusable, "gpu_unavailable"),
        (lambda _: completion("I cannot do that."), LlmUnusable, "gpu_unavailable"),
        (lambda _: claims({**GOOD, "relation": "CURES"}), LlmUnusable, "gpu_unavailable"),
        (lambda _: claims(*[GOOD] * 21), LlmUnusable, "gpu_unavailable"),
    ],
)
def test_failures_are_typed_and_leave_no_half_result(
    endpoint: Endpoint, respond: Respond, error: type[ServiceError], kind: str
) -> None:
    endpoint.respond = respond
    with pytest.raises(error) as caught:
        extract(endpoint.url)
    assert caught.value.failure_kind == kind
    assert endpoint.url in str(caught.value)
    assert len(endpoint.requests) == 1


def test_an_endpoint_that_is_down_or_hangs_is_named() -> None:
    with serving() as gone:
        url = gone.url
    with pytest.raises(LlmDown, match="did not answer"):
        extract(url)
    with serving() as slow:
        free = threading.Event()
        slow.respond = lambda _: (free.wait(30), claims())[1]
        try:
            with pytest.raises(LlmDown, match="did not answer"):
                extract(slow.url, timeout_seconds=0.3)
        finally:
            free.set()


def test_a_gpu_is_asked_for() -> None:
    assert LLM.gpu is not None
    assert LLM.device == "cuda"


@given(body=st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_whatever_the_answer_is_the_outcome_is_typed(body: Any) -> None:
    with pytest.raises(ValueError, match=r"chat completion|cut off|content"):
        read_claims(body)


@given(evidence=st.text(min_size=4, max_size=30), text=st.text(max_size=60))
def test_evidence_is_found_only_where_it_stands(evidence: str, text: str) -> None:
    place = find_evidence(Claim(subject="ab", relation="TREATS", object="cd", evidence=evidence), text)
    assert place is None or 0 <= place[0] < place[1] <= len(text)
