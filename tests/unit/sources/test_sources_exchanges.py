"""Recorded exchanges hold no secrets and find their request again."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.sources.exchanges import ArtifactExchangeLog, Exchange, request_key, without_secrets
from medkg_lab.sources.http_client import seconds_to_wait


def test_secrets_are_taken_out():
    url = "https://me:pw@host/x?b=2&API_KEY=s3cret&email=a%40b.org&a=1#part"
    assert without_secrets(url) == "https://host/x?API_KEY=removed&a=1&b=2&email=removed"


@given(st.text(), st.text())
def test_key_does_not_depend_on_secrets_or_order(first, second):
    from urllib.parse import urlencode

    one = "https://h/p?" + urlencode([("api_key", first), ("q", "x"), ("n", "1")])
    other = "https://h/p?" + urlencode([("n", "1"), ("q", "x"), ("api_key", second)])
    assert request_key("get", one, None) == request_key("GET", other, b"")


def test_key_depends_on_the_request():
    keys = {
        request_key("GET", "https://h/p", None),
        request_key("POST", "https://h/p", None),
        request_key("GET", "https://h/p?q=1", None),
        request_key("GET", "https://h/p", b"body"),
    }
    assert len(keys) == 4


def test_artifact_log_keeps_body_and_record_apart():
    kept: dict[str, bytes] = {}

    def store(data: bytes) -> str:
        kept[str(len(kept))] = data
        return str(len(kept) - 1)

    log = ArtifactExchangeLog(store)
    log.record(
        Exchange(key="k", method="GET", url="u", started=1.0, ms=2.0, status=200, body=b"\xff", labels={"attempt": 2})
    )
    (record,) = log.drain()
    assert log.drain() == []
    found = orjson.loads(kept[record])
    assert kept[found["body"]] == b"\xff"
    assert (found["status"], found["size"], found["labels"]) == (200, 1, {"attempt": 2})


def test_retry_after():
    assert seconds_to_wait("12", now=0) == 12
    assert seconds_to_wait("Thu, 01 Jan 1970 00:01:00 GMT", now=30) == 30
    assert seconds_to_wait("Thu, 01 Jan 1970 00:01:00 GMT", now=90) == 0
    assert seconds_to_wait("soon", now=0) is None
    assert seconds_to_wait("", now=0) is None
