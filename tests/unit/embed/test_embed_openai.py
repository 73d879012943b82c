"""The endpoint embedder against a real HTTP server: vectors or a typed error, never a missing vector."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from medkg_lab.errors import ServiceError
from medkg_lab.sources.http_client import HttpxClient
from medkg_lab.stages.contracts import BatchStage, Embeddings, EmbedStage, StageContext
from medkg_lab.stages.embed.errors import (
    EndpointDown,
    EndpointFailed,
    EndpointRefused,
    EndpointWrongVectors,
    GpuOutOfMemory,
)
from medkg_lab.stages.embed.implementation import OPENAI
from medkg_lab.stages.embed.openai import OpenAIEmbedder
from medkg_lab.stages.registry import BadOptions, Resources
from tests.unit.contexts import stage_context
from tests.unit.embed.fake_endpoint import Endpoint, Respond, answer, failure, serving, vector
from tests.unit.embed.test_embed_minilm import chunks


def reaching_context(doc_id: str = "test:1") -> tuple[StageContext, Callable[[bytes], str]]:
    """A context whose outside is the network."""
    return stage_context(doc_id, http=HttpxClient())


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as one:
        yield one


def build(url: str, **options: object) -> OpenAIEmbedder:
    given = {"base_url": url, "model": "m", "dimension": 4, **options}
    stage = OPENAI.build(Resources(cache=Path("unused")), OPENAI.parse_options(given))
    assert isinstance(stage, OpenAIEmbedder)
    return stage


def test_vectors_come_back_in_order_and_with_unit_length(endpoint: Endpoint) -> None:
    stage = build(endpoint.url, batch_size=2)
    assert isinstance(stage, EmbedStage)
    assert isinstance(stage, BatchStage)
    items = [chunks("a", "one", "three"), (), chunks("b", "one")]
    contexts = [reaching_context(doc_id)[0] for doc_id in ("a", "none", "b")]
    outcomes = stage.execute_many(contexts, items)
    assert [o.chunk_ids for o in outcomes if isinstance(o, Embeddings)] == [("a#0", "a#1"), (), ("b#0",)]
    first = outcomes[0]
    assert isinstance(first, Embeddings)
    expected = np.array([vector("one"), vector("three")])
    assert first.vectors == pytest.approx(expected / np.linalg.norm(expected, axis=1, keepdims=True))
    assert first.vectors.dtype == np.dtype("float32")
    assert (first.dimension, first.device, first.model) == (4, "cuda", "m")
    assert [request["input"] for request in endpoint.requests] == [["one", "three"], ["one"]]
    assert set(endpoint.keys) == {"Bearer none"}


def test_no_chunks_ask_nothing(endpoint: Endpoint) -> None:
    assert build(endpoint.url).execute(reaching_context()[0], ()).vectors.shape == (0, 4)
    assert endpoint.requests == []


def html(_: object) -> tuple[int, str, bytes]:
    return 200, "text/html", b"<html>welcome</html>"


@pytest.mark.parametrize(
    ("respond", "error", "kind"),
    [
        (failure(500, "CUDA out of memory. Tried to allocate 2.00 GiB"), GpuOutOfMemory, "gpu_oom"),
        (failure(500, "internal error"), EndpointFailed, "gpu_unavailable"),
        (failure(503, "loading"), EndpointFailed, "gpu_unavailable"),
        (failure(429, "slow down"), EndpointFailed, "gpu_unavailable"),
        (failure(401, "bad key"), EndpointRefused, "gpu_unavailable"),
        (failure(404, "The model `m` does not exist"), EndpointRefused, "gpu_unavailable"),
        (html, EndpointWrongVectors, "gpu_unavailable"),
        (lambda _: answer([[1.0, 2.0]]), EndpointWrongVectors, "gpu_unavailable"),
        (lambda _: answer([None]), EndpointWrongVectors, "gpu_unavailable"),
        (lambda _: answer([[0.0] * 4]), EndpointWrongVectors, "gpu_unavailable"),
        (lambda _: answer([]), EndpointWrongVectors, "gpu_unavailable"),
        (lambda _: answer([[1.0] * 4, [1.0] * 4]), EndpointWrongVectors, "gpu_unavailable"),
        (
            lambda _: (200, "application/json", b'{"data": [{"embedding": [NaN, 1, 1, 1]}]}'),
            EndpointWrongVectors,
            "gpu_unavailable",
        ),
        (lambda _: (200, "application/json", b"{"), EndpointWrongVectors, "gpu_unavailable"),
        (
            lambda _: (200, "application/json", json.dumps({"object": "list"}).encode()),
            EndpointWrongVectors,
            "gpu_unavailable",
        ),
    ],
)
def test_failures_are_typed_and_tried_once(
    endpoint: Endpoint, respond: Respond, error: type[ServiceError], kind: str
) -> None:
    endpoint.respond = respond
    with pytest.raises(error) as caught:
        build(endpoint.url).execute(reaching_context()[0], chunks("a", "text"))
    assert caught.value.failure_kind == kind
    assert endpoint.url in str(caught.value)
    assert len(endpoint.requests) == 1


def test_an_endpoint_that_is_down_is_named() -> None:
    with serving() as gone:
        url = gone.url
    with pytest.raises(EndpointDown, match="did not answer"):
        build(url, timeout_seconds=2).execute(reaching_context()[0], chunks("a", "text"))


def test_a_key_has_no_place_among_the_options() -> None:
    with pytest.raises(BadOptions):
        OPENAI.parse_options({"api_key": "local-key"})


def test_options_are_checked_and_a_gpu_is_asked_for() -> None:
    with pytest.raises(BadOptions, match="base_url"):
        OPENAI.parse_options({"base_url": "file:///etc/passwd"})
    assert OPENAI.gpu is not None
    assert (OPENAI.gpu.memory_mib, OPENAI.device) == (8192, "cuda")
