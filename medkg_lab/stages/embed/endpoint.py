"""Asking the profile's embedding endpoint directly: for a query's vector, and whether it is what the profile says."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import orjson

from medkg_lab.errors import LabError
from medkg_lab.sources.http_client import HttpxClient
from medkg_lab.stages.contracts import HttpClient
from medkg_lab.stages.embed.errors import EndpointDown
from medkg_lab.stages.embed.openai_answers import read_answer
from medkg_lab.stages.embed.options import OpenAIOptions

_MAX_BYTES = 16 * 1024 * 1024
_PROBE_TEXT = "Does this endpoint answer?"


class EndpointEncoder:
    """Asks an OpenAI-compatible endpoint; safe to use from several threads. There is no other way to such a vector."""

    def __init__(self, options: OpenAIOptions, http: HttpClient | None = None) -> None:
        self._options = options
        self._http = http or HttpxClient()

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of unit length for queries: float32 of shape (texts, dimension).

        Raises EndpointDown, EndpointFailed, EndpointRefused, EndpointWrongVectors or GpuOutOfMemory.
        """
        chosen = self._options
        return _fetch_vectors(
            self._http, chosen, [chosen.query_prefix + text for text in texts], chosen.query_timeout_seconds
        )


def probe(options: OpenAIOptions) -> None:
    """Ask for one vector, and return when the endpoint gives the profile's model in its dimension.

    Raises what EndpointEncoder.encode raises.
    """
    with HttpxClient() as http:
        _fetch_vectors(http, options, [_PROBE_TEXT], options.timeout_seconds)


def _fetch_vectors(
    http: HttpClient, chosen: OpenAIOptions, texts: Sequence[str], timeout: float
) -> npt.NDArray[np.float32]:
    try:
        answer = http.request(
            "POST",
            f"{chosen.base_url.rstrip('/')}/embeddings",
            headers={"content-type": "application/json"},
            body=orjson.dumps({"model": chosen.model, "input": texts}),
            timeout=timeout,
            max_bytes=_MAX_BYTES,
            endpoint=True,
        )
    except LabError as error:
        raise EndpointDown(url=chosen.base_url, detail=str(error).rstrip(".")) from error
    return read_answer(answer, len(texts), chosen.dimension, chosen.base_url)
