"""The language model's endpoint: one request, and whether it is there with the profile's model."""

import asyncio

import orjson

from medkg_lab.errors import LabError
from medkg_lab.sources.http_client import HttpxClient
from medkg_lab.stages.contracts import HttpClient
from medkg_lab.stages.extract.errors import LlmDown, LlmFailed, LlmOutOfMemory
from medkg_lab.stages.extract.options import LlmOptions

_MAX_BYTES = 4 * 1024 * 1024
_DETAIL = 300
_PROBE_TIMEOUT_S = 10.0


async def request(
    http: HttpClient, options: LlmOptions, path: str, body: dict[str, object] | None, timeout: float
) -> bytes:
    """The body of the endpoint's answer to `body`, or to a question without one. Raises LlmDown, LlmFailed or LlmOutOfMemory."""
    try:
        answer = await http.request_async(
            "GET" if body is None else "POST",
            f"{options.base_url.rstrip('/')}/{path}",
            headers={"content-type": "application/json"},
            body=None if body is None else orjson.dumps(body),
            timeout=timeout,
            max_bytes=_MAX_BYTES,
            endpoint=True,
        )
    except LabError as error:
        raise LlmDown(url=options.base_url, detail=str(error).rstrip(".")) from error
    if answer.status != 200:
        text = answer.body[:2000].decode(errors="replace")
        kind = LlmOutOfMemory if "out of memory" in text.lower() else LlmFailed
        raise kind(url=options.base_url, detail=short(f"HTTP {answer.status}: {text}"))
    return answer.body


def probe(options: LlmOptions) -> None:
    """Return when the endpoint lists the profile's model. Raises what `request` raises."""
    with HttpxClient() as http:
        body = asyncio.run(request(http, options, "models", None, _PROBE_TIMEOUT_S))
    try:
        listed = [str(one["id"]) for one in orjson.loads(body)["data"]]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise LlmFailed(url=options.base_url, detail=short(f"its list of models cannot be read: {error!r}")) from None
    if options.model not in listed:
        served = ", ".join(listed) or "no model"
        raise LlmFailed(
            url=options.base_url, detail=short(f"it serves {served}, and the profile asks for {options.model}")
        )


def short(text: str) -> str:
    """`text` on one line, cut to what a message can hold."""
    return " ".join(text.split())[:_DETAIL]
