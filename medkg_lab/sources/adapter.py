"""What every source adapter shares: its settings, asking politely, and judging the answer."""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field

from medkg_lab.models.submission import Payload, Submission
from medkg_lab.sources.errors import BadAnswer, NotFound, RequestRefused, SourceNotConfigured
from medkg_lab.stages.contracts import HttpAnswer, StageContext

_DETAIL_CHARACTERS = 200


class SourceSettings(BaseModel):
    """The settings of one source under `sources.<name>` in settings.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(default="", pattern=r"^(https?://.*)?$", description="Where the service answers.")
    timeout_seconds: float = Field(default=60.0, gt=0, description="Seconds one request may take.")
    max_bytes: int = Field(default=64 * 1024 * 1024, gt=0, description="Bytes one answer may have.")
    email: str = Field(default="", description="The e-mail address that the service asks its users to give.")
    api_key: str = Field(default="", description="The key that the service gave you.")


class Adapter(Protocol):
    """A source: documents by id, and ids by query."""

    name: str

    async def fetch(self, context: StageContext, key: str) -> Payload:
        """The document called `key`. Raises DocumentError or ServiceError."""
        ...

    async def search(self, context: StageContext, query: Submission) -> tuple[Submission, ...]:
        """One submission for each document that the query finds, up to its limit. Raises DocumentError or ServiceError."""
        ...


class Service:
    """An HTTP service behind a base address; `settings` override the address and limits an adapter has by default."""

    def __init__(self, name: str, base_url: str, settings: SourceSettings) -> None:
        self.name = name
        self.base_url = (settings.base_url or base_url).rstrip("/")
        self.settings = settings

    @property
    def host(self) -> str:
        """The host that messages name."""
        return urlsplit(self.base_url).netloc

    async def get(
        self,
        context: StageContext,
        path: str,
        params: Mapping[str, str],
        what: str,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Ask for `path` and return the answer when its status is 200.

        Raises NotFound, RequestRefused, and what Outside raises.
        """
        answer = await context.http.request_async(
            "GET",
            f"{self.base_url}/{path}",
            params=params,
            headers=headers,
            timeout=self.settings.timeout_seconds,
            max_bytes=self.settings.max_bytes,
        )
        return accept(answer, self.host, what)

    def json(self, answer: HttpAnswer) -> dict[str, object]:
        """The JSON object in `answer`. Raises BadAnswer."""
        try:
            value = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise BadAnswer(host=self.host, detail=f"not JSON: {error}") from None
        if not isinstance(value, dict):
            raise BadAnswer(host=self.host, detail="not a JSON object")
        return value

    def required(self, setting: str, why: str) -> str:
        """The setting's value. Raises SourceNotConfigured when it is empty."""
        value = str(getattr(self.settings, setting))
        if not value:
            raise SourceNotConfigured(source=self.name, setting=setting, detail=why)
        return value


def accept(answer: HttpAnswer, host: str, what: str) -> HttpAnswer:
    """`answer` when its status is 200. Raises NotFound for 404 and 410, RequestRefused for every other status."""
    if answer.status in (404, 410):
        raise NotFound(host=host, what=what)
    if answer.status != 200:
        detail = plain(answer.body[:_DETAIL_CHARACTERS])
        raise RequestRefused(host=host, what=what, status=answer.status, detail=detail)
    return answer


def plain(text: bytes) -> str:
    """Foreign text for a message: printable characters only, on one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text.decode("utf-8", "replace")).split())


def found(query: Submission, keys: list[str]) -> tuple[Submission, ...]:
    """The submissions that `query` expands to: one per key, in order, without repetition and up to the query's limit."""
    unique = list(dict.fromkeys(keys))[: query.limit]
    return tuple(query.model_copy(update={"key": key, "query": None}) for key in unique)
