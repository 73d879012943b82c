"""The embed stage that asks an OpenAI-compatible endpoint, through haystack's OpenAIDocumentEmbedder."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder
from haystack.utils import Secret
from openai import APIConnectionError, APIError, APIStatusError

from medkg_lab.errors import LabError
from medkg_lab.models.documents import Chunk
from medkg_lab.stages.contracts import Embeddings, StageContext
from medkg_lab.stages.embed.errors import EndpointDown, EndpointWrongVectors
from medkg_lab.stages.embed.openai_answers import failed, short, unit_vectors
from medkg_lab.stages.embed.options import OpenAIOptions
from medkg_lab.stages.embed.transport import HttpClientTransport

DEVICE = "cuda"


class OpenAIEmbedder:
    """Embeds the chunks of all documents of a batch together; retries are left to the stage's policy."""

    def __init__(self, options: OpenAIOptions) -> None:
        self._options = options
        self._transport = HttpClientTransport(options.timeout_seconds)
        self._component = OpenAIDocumentEmbedder(
            api_key=Secret.from_token("none"),
            api_base_url=options.base_url,
            model=options.model,
            batch_size=options.batch_size,
            progress_bar=False,
            timeout=options.timeout_seconds,
            max_retries=0,
            # Proxy settings of the environment are none of a stage's business; every exchange goes by the context.
            http_client_kwargs={"trust_env": False, "transport": self._transport},
            raise_on_failure=True,
        )
        self._component.warm_up()

    def execute(self, context: StageContext, item: tuple[Chunk, ...]) -> Embeddings:
        """Embed one document's chunks. Raises a ServiceError."""
        return self.execute_many([context], [item])[0]

    def execute_many(self, contexts: Sequence[StageContext], items: Sequence[tuple[Chunk, ...]]) -> list[Embeddings]:
        """Embed the chunks of several documents. A ServiceError stands for the whole batch."""
        with self._transport.lent(contexts[0].http):
            return self._embed(items)

    def _embed(self, items: Sequence[tuple[Chunk, ...]]) -> list[Embeddings]:
        vectors = self._vectors([chunk for item in items for chunk in item])
        outcomes = []
        start = 0
        for item in items:
            ids = tuple(chunk.chunk_id for chunk in item)
            part = vectors[start : start + len(item)]
            outcomes.append(Embeddings(self._options.model, self._options.dimension, DEVICE, ids, part))
            start += len(item)
        return outcomes

    def _vectors(self, chunks: Sequence[Chunk]) -> npt.NDArray[np.float32]:
        if not chunks:
            return np.zeros((0, self._options.dimension), dtype=np.float32)
        documents = [Document(id=str(number), content=chunk.text) for number, chunk in enumerate(chunks)]
        try:
            answered = self._component.run(documents=documents)["documents"]
        except APIError as error:
            raise self._service_error(error) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # An answer with status 200 that is not an embedding response (a web page, too few vectors) surfaces as one of these.
            raise EndpointWrongVectors(url=self._options.base_url, detail=short(repr(error))) from error
        return unit_vectors(
            [document.embedding for document in answered], self._options.dimension, self._options.base_url
        )

    def _service_error(self, error: APIError) -> LabError:
        # Of no connection the library only says so; its cause has the transport's own words.
        cause = error.__cause__ if isinstance(error, APIConnectionError) and error.__cause__ else error
        url = self._options.base_url
        if isinstance(error, APIConnectionError):
            return EndpointDown(url=url, detail=short(str(cause)).rstrip("."))
        return failed(url, error.status_code if isinstance(error, APIStatusError) else None, str(error))
