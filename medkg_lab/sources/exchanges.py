"""What was exchanged with the outside, as a record that another run can answer from; secrets never enter it.

An exchange's `key` is made from the request alone, so that the same request finds its recorded answer. API keys and e-mail
addresses are taken out before the key is made: a recording answers whoever replays it.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

SECRET_PARAMETERS = frozenset(
    {"api_key", "apikey", "api-key", "key", "email", "mailto", "token", "access_token", "password", "signature", "sig"}
)
REMOVED = "removed"
_KEPT_HEADERS = frozenset(
    {"content-type", "content-length", "content-encoding", "retry-after", "etag", "last-modified"}
)


@dataclass(frozen=True)
class Exchange:
    """One request and what came of it: `status` and `body` for an answer, `error` (a class name) for none.

    `started` is seconds since the epoch, `ms` the duration; `labels` say for whom it was made (job, stage, attempt).
    """

    key: str
    method: str
    url: str
    started: float
    ms: float
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    final_url: str = ""
    error: str = ""
    labels: Mapping[str, str | int] = field(default_factory=dict)


class ExchangeLog(Protocol):
    """Where exchanges go."""

    def record(self, exchange: Exchange) -> None:
        """Take note of `exchange`; it holds no secrets."""
        ...


class NoLog:
    """An exchange log that keeps nothing."""

    def record(self, exchange: Exchange) -> None:
        """Forget `exchange`."""


class ArtifactExchangeLog:
    """Exchanges as artifacts: the body by itself, and a JSON record that names it. `drain` tells the records' hashes."""

    def __init__(self, store: Callable[[bytes], str]) -> None:
        self._store = store
        self._records: list[str] = []
        self._lock = threading.Lock()

    def record(self, exchange: Exchange) -> None:
        """Store `exchange`."""
        values = asdict(exchange) | {"body": self._store(exchange.body), "size": len(exchange.body)}
        record = self._store(orjson.dumps(values, option=orjson.OPT_SORT_KEYS))
        with self._lock:
            self._records.append(record)

    def drain(self) -> list[str]:
        """The sha256 of every record since the last call, in order."""
        with self._lock:
            records, self._records = self._records, []
        return records


def request_key(method: str, url: str, body: bytes | None) -> str:
    """The key of a request: the sha256 of its method, its address without secrets, and its body."""
    parts = [method.upper(), without_secrets(url), hashlib.sha256(body or b"").hexdigest()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def without_secrets(url: str) -> str:
    """`url` without user name, password and fragment, its secret parameters replaced and all of them sorted."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    pairs = sorted(
        (name, REMOVED if name.lower() in SECRET_PARAMETERS else value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    return urlunsplit((parts.scheme, host, parts.path, urlencode(pairs), ""))


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that are worth keeping; cookies and the like are not."""
    return {name: value for name, value in sorted(headers.items()) if name in _KEPT_HEADERS}
