"""Query vectors from an endpoint: the right ones, or the dense leg is off with the reason."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medkg_lab.errors import ServiceError
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.locations import locate
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.embed.endpoint import EndpointEncoder
from medkg_lab.stages.embed.errors import (
    EndpointDown,
    EndpointFailed,
    EndpointRefused,
    EndpointWrongVectors,
    GpuOutOfMemory,
)
from medkg_lab.stages.embed.options import OpenAIOptions
from medkg_lab.stages.embed.weights import INT8_MODEL_ID, MODEL_ID
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.profiles import StageChoice
from tests.unit.embed.fake_endpoint import Endpoint, Respond, answer, failure, serving, vector


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as one:
        yield one


def options(url: str) -> OpenAIOptions:
    return OpenAIOptions(base_url=url, model="m", dimension=4, query_prefix="Query: ", query_timeout_seconds=5)


def test_a_query_gets_its_prefix_and_a_unit_vector(endpoint: Endpoint) -> None:
    found = EndpointEncoder(options(endpoint.url)).encode(["aspirin"])
    expected = np.array([vector("Query: aspirin")])
    assert found == pytest.approx(expected / np.linalg.norm(expected))
    assert endpoint.requests == [{"model": "m", "input": ["Query: aspirin"]}]


@pytest.mark.parametrize(
    ("respond", "error"),
    [
        (failure(500, "CUDA out of memory"), GpuOutOfMemory),
        (failure(500, "internal"), EndpointFailed),
        (failure(429, "slow down"), EndpointFailed),
        (failure(404, "no such model"), EndpointRefused),
        (lambda _: (200, "text/html", b"<html>"), EndpointWrongVectors),
        (lambda _: answer([]), EndpointWrongVectors),
        (lambda _: answer([[1.0, 2.0]]), EndpointWrongVectors),
        (lambda _: answer([None]), EndpointWrongVectors),
        (lambda _: answer([[0.0] * 4]), EndpointWrongVectors),
        (lambda _: (200, "application/json", b'{"data": [{"embedding": [1,'), EndpointWrongVectors),
    ],
)
def test_failures_are_typed_and_turn_the_leg_off(
    endpoint: Endpoint, respond: Respond, error: type[ServiceError]
) -> None:
    endpoint.respond = respond
    with pytest.raises(error) as caught:
        EndpointEncoder(options(endpoint.url)).encode(["aspirin"])
    assert caught.value.failure_kind in ("gpu_unavailable", "gpu_oom")
    choice = StageChoice.model_validate(
        {"implementation": "openai.embedder", "with": options(endpoint.url).model_dump()}
    )
    reason = Encoders.standard(Path("unused"), choice).embed("m", "aspirin")
    assert isinstance(reason, str)
    assert endpoint.url in reason


def test_an_endpoint_that_is_down_is_no_reason_for_another_model() -> None:
    with serving() as gone:
        url = gone.url
    with pytest.raises(EndpointDown):
        EndpointEncoder(options(url)).encode(["aspirin"])
    other = Encoders.standard(Path("unused")).embed("m", "aspirin")
    assert other == "the profile has no query encoder for m"


def test_the_gpu_profile_has_no_other_way_to_a_querys_vector(tmp_path: Path) -> None:
    chosen = Catalog(locate(tmp_path)).profile("gpu").stages[StageType.EMBED]
    encoders = Encoders.standard(tmp_path, chosen)
    for model in (MODEL_ID, INT8_MODEL_ID):
        assert encoders.embed(model, "aspirin") == f"the profile has no query encoder for {model}"
    assert encoders.sparse_models == ["ibm-granite/granite-embedding-30m-sparse"]
    assert "no query encoder" in str(encoders.weigh("another", "aspirin"))
    assert list(tmp_path.iterdir()) == [], "no model was made for the processor"
