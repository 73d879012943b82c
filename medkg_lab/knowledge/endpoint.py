"""Query vectors from the endpoint that made the index's vectors."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import orjson

from medkg_lab.errors import LabError
from medkg_lab.sources.outside import HttpOutside
from medkg_lab.stages.contracts import Outside
from medkg_lab.stages.embed.answers import read_answer
from medkg_lab.stages.embed.errors import EndpointDown
from medkg_lab.stages.embed.options import OpenAIOptions

_MOST_BYTES = 16 * 1024 * 1024


class EndpointEncoder:
    """Asks an OpenAI-compatible endpoint; safe to use from several threads. There is no other way to such a vector."""

    def __init__(self, options: OpenAIOptions, outside: Outside | None = None) -> None:
        self._options = options
        self._outside = outside or HttpOutside()

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of unit length for queries: float32 of shape (texts, dimension).

        Raises EndpointDown, EndpointFailed, EndpointRefused, EndpointWrongVectors or GpuOutOfMemory.
        """
        chosen = self._options
        asked = {"model": chosen.model, "input": [chosen.query_prefix + text for text in texts]}
        try:
            answer = self._outside.request(
                "POST",
                f"{chosen.base_url.rstrip('/')}/embeddings",
                headers={"content-type": "application/json"},
                body=orjson.dumps(asked),
                timeout=chosen.query_timeout_seconds,
                max_bytes=_MOST_BYTES,
                endpoint=True,
            )
        except LabError as error:
            raise EndpointDown(url=chosen.base_url, detail=str(error)) from error
        return read_answer(answer, len(texts), chosen.dimension, chosen.base_url)
