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

import msgspec
import orjson

SECRET_PARAMETERS = frozenset(
    {
        *("api_key", "apikey", "api-key", "key", "email", "mailto", "token", "access_token", "auth", "authorization"),
        *("password", "secret", "client_secret", "signature", "sig", "x-amz-signature", "x-amz-credential"),
        "x-amz-security-token",
    }
)
REMOVED = "removed"
CANCELLED = "Cancelled"
"""The `error` of an exchange that its caller gave up, because it took longer than the policy allows."""
_KEPT_HEADERS = frozenset(
    {"content-type", "content-length", "content-encoding", "retry-after", "etag", "last-modified"}
)


@dataclass(frozen=True)
class Exchange:
    """One request and what came of it: `status` and `body` for an answer, `error` (a class name) and its fields for none.

    `asked` is the request's body, or what stands for it in the key. `started` is seconds since the epoch, `ms` the duration;
    `labels` say for whom it was made (job, stage, attempt), and that it was the stage's n-th call with this key.
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
    asked: bytes = b""
    error: str = ""
    error_fields: Mapping[str, str | float | None] = field(default_factory=dict)
    labels: Mapping[str, str | int] = field(default_factory=dict)


class StoredExchange(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange as it is stored: `body` and `asked` are hashes, and `kept` is false for a body that was too large."""

    key: str
    method: str
    url: str
    ms: float
    size: int
    kept: bool
    started: float = 0.0
    status: int | None = None
    headers: Mapping[str, str] = {}
    body: str = ""
    final_url: str = ""
    asked: str = ""
    error: str = ""
    error_fields: Mapping[str, str | float | None] = {}
    labels: Mapping[str, str | int] = {}

    @property
    def stage(self) -> str:
        """The stage that made it."""
        return str(self.labels.get("stage"))

    @property
    def job(self) -> str:
        """The job that it was made for."""
        return str(self.labels.get("job"))


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
    """Exchanges as artifacts: the body by itself, and a JSON record that names it. `drain` tells the records' hashes.

    A body of more than `max_body` bytes is not kept; its record then holds its hash and `kept` false.
    """

    def __init__(self, store: Callable[[bytes], str], max_body: int = 64 * 1024 * 1024) -> None:
        self._store = store
        self._max_body = max_body
        self._records: list[str] = []
        self._lock = threading.Lock()

    def record(self, exchange: Exchange) -> None:
        """Store `exchange`."""
        kept = len(exchange.body) <= self._max_body
        sha256 = self._store(exchange.body) if kept else hashlib.sha256(exchange.body).hexdigest()
        asked = self._store(exchange.asked) if exchange.asked else ""
        values = asdict(exchange) | {"body": sha256, "size": len(exchange.body), "kept": kept, "asked": asked}
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


def recorded_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that are worth keeping; cookies and the like are not."""
    return {name: value for name, value in sorted(headers.items()) if name in _KEPT_HEADERS}
