"""Somebody who gets at the broker takes no request away from the real bridge, and puts nothing in that is not his."""

import json

from confluent_kafka.admin import AdminClient

from medkg_lab.bridge.intake import GROUP
from medkg_lab.bridge.messages import request_message
from medkg_lab.broker.client import Consumer, read_all
from medkg_lab.broker.topics import LEDGER_LOG, REQUESTS
from medkg_lab.ledger.chain import Findings, LogRecord, follow
from medkg_lab.models.submission import Content, Submission
from medkg_lab.signing import LEDGER_LOG as LOG_PURPOSE
from medkg_lab.signing import REQUESTS as REQUESTS_PURPOSE
from medkg_lab.signing import signer
from tests.brokers import ensure_topics, librdkafka
from tests.integration.bridge.bridges import Bridge, put
from tests.told import logged
from tests.waiting import wait_until

SHA = "5" * 64


def request(key: str, **more: object) -> dict[str, bytes]:
    return {"value": json.dumps({"source": "pmc", "key": key, **more}).encode()}


def wait_for(bridge: Bridge, *keys: str) -> None:
    wanted = {f"pmc:{key}" for key in keys}
    wait_until(lambda: bridge.jobs() >= wanted, 60, f"jobs for {keys}")


def remake(bridge: Bridge) -> None:
    """Delete the work queue and make it again."""
    admin = AdminClient(librdkafka(bridge.broker.bootstrap))
    admin.delete_topics([REQUESTS])[REQUESTS].result(20)
    wait_until(lambda: REQUESTS in ensure_topics(bridge.broker.bootstrap), 20, "the topic is made again")


def test_eight_thieves_in_the_group_take_nothing(bridge: Bridge) -> None:
    put(bridge.broker.bootstrap, request("PMC0"))
    wait_for(bridge, "PMC0")
    thieves = [Consumer(bridge.broker.bootstrap, GROUP, [REQUESTS]) for _ in range(8)]
    try:
        wait_until(lambda: any([thief.poll(0.1), thief.assignment()][1] for thief in thieves), 30, "they are members")
        keys = [f"PMC{number}" for number in range(1, 13)]
        put(bridge.broker.bootstrap, *map(request, keys))

        def taken() -> bool:
            for thief in thieves:
                thief.commit(thief.poll(0.1))
            listed = [one for one in bridge.groups() if one.partition == 0]
            return bool(listed) and listed[0].committed == 13

        wait_until(taken, 60, "everything is committed by others")
        wait_for(bridge, *keys)
    finally:
        for thief in thieves:
            thief.close()


def test_a_ledger_that_lost_how_far_the_outbox_is_hears_it_again(bridge: Bridge) -> None:
    """As one does that was killed before it had saved what it was told."""
    put(bridge.broker.bootstrap, request("PMC1"))
    wait_for(bridge, "PMC1")
    with bridge.lab.client() as client:
        for _ in range(2):
            wait_until(lambda: client.positions().get("outbox") == client.counts().head, 30, "the outbox tells it")
            client.position("outbox", 0)


def test_offsets_that_others_committed_are_not_believed_after_a_restart(bridge: Bridge) -> None:
    put(bridge.broker.bootstrap, request("PMC1"))
    bridge.wait_until_done()
    bridge.stop(bridge.lab.process("medkg_lab.bridge"))
    put(bridge.broker.bootstrap, request("PMC2"), request("PMC3"))
    with Consumer(bridge.broker.bootstrap, GROUP, [REQUESTS]) as thief:
        records = wait_until(lambda: thief.poll(0.5), 30, "what others take")
        thief.commit(records)
    bridge.lab.start("medkg_lab.bridge")
    wait_for(bridge, "PMC2", "PMC3")


def test_a_queue_that_was_made_again_is_read_from_its_beginning(bridge: Bridge) -> None:
    """Also where it has become longer than what was read before, and where records come to stand where others stood."""
    put(bridge.broker.bootstrap, request("PMC1"), request("PMC2"))
    bridge.wait_until_done()
    bridge.stop(bridge.lab.process("medkg_lab.bridge"))
    remake(bridge)
    put(bridge.broker.bootstrap, request("PMC3"), request("PMC4"), request("PMC5"))
    bridge.lab.start("medkg_lab.bridge")
    wait_for(bridge, "PMC3", "PMC4", "PMC5")
    remake(bridge)
    put(bridge.broker.bootstrap, request("PMC6"))
    wait_for(bridge, "PMC6")


def test_a_ledger_that_lost_the_bookmarks_gets_everything_again_and_no_job_twice(bridge: Bridge) -> None:
    put(bridge.broker.bootstrap, request("PMC1"), {"value": b"?"}, request("PMC2"))
    bridge.wait_until_done()
    ledger = bridge.lab.process("medkg_lab.ledger")
    ledger.kill()
    ledger.wait(10)
    (bridge.lab.locations.data / "ledger" / "bookmarks.json").unlink(missing_ok=True)
    bridge.lab.start("medkg_lab.ledger")
    put(bridge.broker.bootstrap, request("PMC3"))
    wait_for(bridge, "PMC3")
    with bridge.lab.client() as client:
        assert client.counts().jobs == {"queued": 3}


def test_a_request_names_only_content_that_the_lab_itself_handed_out(bridge: Bridge) -> None:
    content = {"sha256": SHA, "media_type": "application/pdf", "name": "theirs.pdf"}
    submission = Submission(source="pmc", key="PMC1", content=Content(sha256=SHA, name="ours.pdf"))
    ours = request_message(submission, signer(bridge.lab.locations, REQUESTS_PURPOSE))
    borrowed = request("PMC2", content=content) | {"headers": ours.headers}
    again = {"value": ours.value + b" ", "headers": ours.headers}
    put(bridge.broker.bootstrap, request("PMC3", content=content), borrowed)
    put(bridge.broker.bootstrap, {"value": ours.value, "headers": ours.headers})
    wait_for(bridge, "PMC1")
    # Of a job that is there already, anybody may ask for it: nothing happens.
    put(bridge.broker.bootstrap, again, request("PMC4"))
    bridge.wait_until_done()
    assert bridge.jobs() == {"pmc:PMC1", "pmc:PMC4"}
    letters = bridge.dead_letters()
    assert [letter.header("medkg-error") for letter in letters] == [b"ContentNotSigned"] * 2


def test_times_that_cannot_be_are_not_believed(bridge: Bridge) -> None:
    put(bridge.broker.bootstrap, request("PMC1") | {"timestamp": 2**62}, request("PMC2") | {"timestamp": 1})
    bridge.wait_until_done()
    with bridge.lab.client() as client:
        events = logged(client, 0)
    times = {spec["doc_key"]: spec["submitted_at"] for event in events for spec in event["data"].get("specs", ())}
    assert times["PMC2"] == 0.001
    assert times["PMC1"] < 2**33


def test_the_ledgers_events_are_one_chain_over_restarts_of_the_bridge(bridge: Bridge) -> None:
    put(bridge.broker.bootstrap, request("PMC1"))
    wait_for(bridge, "PMC1")
    process = bridge.lab.process("medkg_lab.bridge")
    process.kill()
    process.wait(10)
    put(bridge.broker.bootstrap, request("PMC2"))
    bridge.lab.start("medkg_lab.bridge")
    wait_for(bridge, "PMC2")
    with bridge.lab.client() as client:
        events = logged(client, 0)
        head = events[-1]["seq"]
        wait_until(lambda: client.positions().get("outbox", 0) >= head, 30, "the outbox")
    records = [LogRecord(one.value or b"", dict(one.headers)) for one in read_all(bridge.broker.bootstrap, LEDGER_LOG)]
    findings = Findings()
    used = {one.seq: one.value for one in follow(records, signer(bridge.lab.locations, LOG_PURPOSE), None, findings)}
    assert [json.loads(value) for _, value in sorted(used.items())] == events
    assert findings.gap is None
    assert set(findings.counts) <= {"accepted", "repeated"}
