"""What nobody can make a job of, put before the real bridge: it ends as a dead letter with its reason, and blocks nothing."""

import json
import struct

from crc32c import crc32c
from kafka.record.memory_records import MemoryRecordsBuilder

from medkg_lab.bridge.intake import MAX_REQUEST_BYTES
from medkg_lab.broker.client import read_all
from medkg_lab.broker.record import UNREADABLE_HEADERS
from medkg_lab.broker.topics import REQUESTS
from tests.brokers import LAB
from tests.integration.bridge.bridges import Bridge, put
from tests.kafka_frames import ask, log_in

PRODUCE = 0
POISONED = 30
"""So many that the interpreter has specialised the calls that read them."""
GOOD = {"source": "pmc", "key": "PMC1"}
POISON: dict[str, tuple[bytes | None, str]] = {
    "no JSON": (b"not json", "not JSON"),
    "half of it": (b'{"source": "pmc", ', "not JSON"),
    "empty": (b"", "not JSON"),
    "no value": (None, "no value"),
    "no UTF-8": (b'{"source": "pmc", "key": "\xff\xfe"}', "not JSON"),
    "half a character": (b'{"source": "pmc", "key": "\\ud800"}', "not JSON"),
    "an array": (b"[]", "request"),
    "a number": (b"17", "request"),
    "wrong type": (b'{"source": "pmc", "key": 5}', "key"),
    "wrong source": (b'{"source": "../../etc", "key": "x"}', "source"),
    "a source that nobody has": (b'{"source": "nowhere", "key": "x"}', "nowhere"),
    "a pipeline that nobody has": (b'{"source": "pmc", "key": "x", "pipeline": "no-such"}', "no-such"),
    "a huge number": (b'{"source": "pmc", "key": "x", "priority": 1e400}', "not JSON"),
    "deep": (b'{"source": "pmc", "key": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "JSON"),
    "deep but whole": (b'{"source": "pmc", "key": ' + b"[" * 900 + b"]" * 900 + b"}", "key"),
    "too large": (json.dumps(GOOD | {"metadata": {"a": "b" * MAX_REQUEST_BYTES}}).encode(), "limit"),
    "as large as the topic takes": (b"x" * (1024 * 1024 + 3900), "limit"),
}


def test_every_kind_of_poison_is_a_dead_letter_and_what_follows_is_done(bridge: Bridge) -> None:
    poison = [{"value": value, "key": name, "headers": [("n", b"1")]} for name, (value, _) in POISON.items()]
    last = {"value": json.dumps(GOOD).encode(), "key": b"good"}
    put(bridge.broker.bootstrap, *poison, last)
    bridge.wait_until_done()
    assert bridge.jobs() == {"pmc:PMC1"}
    dead = {(letter.key or b"").decode(): letter for letter in bridge.dead_letters()}
    assert set(dead) == set(POISON)
    for name, (value, said) in POISON.items():
        reason = dead[name].header("medkg-reason")
        assert reason is not None
        assert said in reason.decode(), f"{name}: {reason!r}"
        assert dead[name].header("medkg-error") not in (None, b"")
        origin = f"{REQUESTS}/0@{list(POISON).index(name)}"
        assert dead[name].header("medkg-origin") == origin.encode()
        assert dead[name].value == (value or b"")[:MAX_REQUEST_BYTES]
        assert (dead[name].header("medkg-cut") is not None) == (len(value or b"") > MAX_REQUEST_BYTES)


def test_a_key_that_fills_its_record_is_cut_in_its_dead_letter(bridge: Bridge) -> None:
    put(
        bridge.broker.bootstrap,
        {"value": b"?", "key": b"k" * (1024 * 1024 + 3900)},
        {"value": json.dumps(GOOD).encode()},
    )
    bridge.wait_until_done()
    assert bridge.jobs() == {"pmc:PMC1"}
    (letter,) = bridge.dead_letters()
    assert set(letter.key or b"") == set(b"k")
    assert b"key of 1052476" in (letter.header("medkg-cut") or b"")


def test_strange_but_allowed_requests_are_jobs(bridge: Bridge) -> None:
    keys = ["\u0000", "a\nb", "\u202e\u0007\x1b[31m", "'; DROP TABLE job; --", "😀" * 200]
    put(bridge.broker.bootstrap, *({"value": json.dumps({"source": "pmc", "key": key}).encode()} for key in keys))
    bridge.wait_until_done()
    assert bridge.jobs() == {f"pmc:{key}" for key in keys}
    assert bridge.dead_letters() == []


def test_many_large_requests_at_once_are_all_jobs(bridge: Bridge) -> None:
    large = [GOOD | {"key": f"L{number}", "metadata": {"a": "\x01" * 30_000}} for number in range(90)]
    put(bridge.broker.bootstrap, *({"value": json.dumps(one).encode()} for one in large))
    bridge.wait_until_done()
    assert len(bridge.jobs()) == 90


def test_header_names_that_are_no_text_stop_nobody(bridge: Bridge) -> None:
    builder = MemoryRecordsBuilder(2, 0, 1 << 20)
    builder.append(timestamp=1, key=b"k", value=b"poison", headers=[("NAME", b"value")])
    builder.close()
    batch = bytearray(builder.buffer())
    at = batch.index(b"NAME")
    batch[at : at + 4] = b"\xff\xfe\x1b["
    struct.pack_into(">I", batch, 17, crc32c(bytes(batch[21:])))
    entry = {"index": 0, "records": bytes(batch)}
    topics = [{"name": REQUESTS, "partition_data": [entry]}]
    body = {"transactional_id": None, "acks": -1, "timeout": 10_000, "topic_data": topics}
    with bridge.broker.connect() as connection:
        log_in(connection, LAB, bridge.broker.passwords[LAB])
        for _ in range(POISONED):
            ask(connection, PRODUCE, 7, body)
    put(bridge.broker.bootstrap, {"value": json.dumps(GOOD).encode()})
    bridge.wait_until_done()
    assert bridge.jobs() == {"pmc:PMC1"}
    assert [letter.value for letter in bridge.dead_letters()] == [b"poison"] * POISONED
    headers = [record.headers for record in read_all(bridge.broker.bootstrap, REQUESTS)]
    assert headers == [UNREADABLE_HEADERS] * POISONED + [()]
