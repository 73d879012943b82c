"""Cases about what topics may say: requests for PDFs, and the history that a lost ledger is brought back from.

The attacker has everything that the lab's own clients have: another user of the machine who got hold of the password.
"""

import json
import multiprocessing
import os
import threading
import time
import uuid
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from medkg_lab.broker.client_settings import client_settings
from medkg_lab.lab.facade import Lab
from tests.cases.case import Context, Outcome, case
from tests.labs import TestLab
from tests.told import logged
from tests.waiting import wait_until

PAPERS = Path(__file__).parents[3] / "bundled_pipelines" / "demo" / "papers"
WORDS = {
    "dapagliflozin-hfpef.pdf": "dapagliflozin",
    "migraine-prevention.pdf": "migraine",
    "semaglutide-obesity-cohort.pdf": "semaglutide",
}
ATTACK_S = 240.0
PDF_GROUP = "medkg-pdf"


def login(lab: TestLab) -> dict[str, Any]:
    """What lets a Kafka client in, as plain values that another process can use."""
    return {name: value for name, value in client_settings(Lab.at(lab.home).bootstrap).items() if name != "error_cb"}


def forge_pdf_requests(settings: dict[str, Any], other: str, over: Event) -> int:
    """Take the requests of the PDF process's group and send them again with the content `other`, until it is `over`."""
    group = {"group.id": PDF_GROUP, "auto.offset.reset": "latest", "enable.auto.commit": False}
    consumers = [Consumer({**settings, **group, "session.timeout.ms": 6000}) for _ in range(8)]
    producer = Producer(settings)
    for consumer in consumers:
        consumer.subscribe(["pdf.requests.v1"])
    forged = 0
    until = time.monotonic() + ATTACK_S
    while time.monotonic() < until and not over.is_set():
        for message in [found for consumer in consumers if (found := consumer.poll(0.05)) and not found.error()]:
            request = json.loads(message.value())
            if request["content"] == other:
                continue
            for partition in range(4):
                producer.produce(
                    "pdf.requests.v1", json.dumps(request | {"content": other}).encode(), partition=partition
                )
            producer.flush()
            forged += 1
            for consumer in consumers:
                try:
                    consumer.commit(message, asynchronous=False)
                except KafkaException:
                    continue
                break
    for consumer in consumers:
        consumer.close()
    return forged


@case(
    "security/02", "every gate opens with its own document; what was forged is set aside with its reason", as_root=True
)
def forged_pdf_request(context: Context) -> Outcome:
    """A gate opens with the text of another document."""
    with context.lab() as lab:
        lab.ok("submit", str(PAPERS / "copd-azithromycin.pdf"), "--tenant", "t1", "--wait")
        other = lab.ok("jobs", "show", "file:copd-azithromycin.pdf")["content"]
        over, attacked = multiprocessing.get_context("fork").Event(), []
        settings = login(lab)

        def attack() -> None:
            attacked.append(context.as_other_user(lambda: forge_pdf_requests(settings, other, over), ATTACK_S + 60))

        thread = threading.Thread(target=attack)
        thread.start()
        try:
            wait_until(lambda: len(members(lab, PDF_GROUP)) >= 8, 60, "the attacker is in the group")
            folder = context.scratch / "in"
            folder.mkdir()
            for name in WORDS:
                (folder / name).write_bytes((PAPERS / name).read_bytes())
            lab.ok("submit", str(folder), "--tenant", "t2", "--wait", "--timeout", "120")
        finally:
            over.set()
            thread.join()
        wrong = [name for name, word in WORDS.items() if not is_own(lab, f"file:{name}", word)]
        letters = [dict(one["headers"]) for one in lab.ok("broker", "tail", "ingest.deadletter.v1", "--count", "100")]
        reasons = {letter.get("medkg-error") for letter in letters}
        proof = lab.run("verify")
    right = (
        not wrong
        and isinstance(attacked[0], int)
        and attacked[0] > 0
        and proof.code == 0
        and reasons <= {"PdfRequestDisagrees"}
    )
    return Outcome(
        right,
        f"{attacked[0]} requests taken and forged; {len(WORDS) - len(wrong)} of {len(WORDS)} gates opened with their own "
        f"document, {len(letters)} forged requests set aside ({', '.join(map(str, reasons)) or 'none'}); {proof.out.strip()}",
    )


def members(lab: TestLab, group: str) -> list[str]:
    """Who is in a consumer group."""
    found = lab.ok("broker", "groups")
    return next((one["members"] for one in found if one["group"] == group), [])


def is_own(lab: TestLab, doc_id: str, word: str) -> bool:
    """Whether a document was made from its own file, by its source's hash and its text."""
    job = lab.ok("jobs", "show", doc_id)
    evidence = (job.get("gate") or {}).get("evidence") or {}
    chunks = json.dumps(lab.ok("jobs", "show", doc_id, "--stage", "chunk")).lower()
    return job["state"] == "completed" and evidence.get("source") == job["content"] and word in chunks


def forge_history(settings: dict[str, Any]) -> int:
    """Put events of our own on the topic of the ledger's events: behind the last, in the place of others, and others' again."""
    consumer = Consumer({**settings, "group.id": "m2", "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition("ledger.log.v1", 0, 0)])
    records = []
    while (message := consumer.poll(10)) is not None and not message.error():
        records.append((message.key(), message.value(), message.headers()))
    consumer.close()
    events = [json.loads(value) for _, value, _ in records]
    submitted = next(event for event in reversed(events) if event["type"] == "job.submitted")
    head = max(event["seq"] for event in events)
    producer = Producer(settings)
    forged = 0
    for seq in (head + 1, head + 2, head, submitted["seq"]):
        job_id = str(uuid.uuid4())
        text = json.dumps({**submitted, "seq": seq, "id": uuid.uuid4().hex}).replace(submitted["jobs"][0], job_id)
        event = json.loads(text)
        event["jobs"], event["data"]["specs"] = [job_id], event["data"]["specs"][:1]
        event["data"]["specs"][0] |= {"doc_id": "file:FORGED-BY-MALLORY", "doc_key": "FORGED-BY-MALLORY"}
        for headers in ([], records[-1][2], records[0][2]):
            producer.produce("ledger.log.v1", json.dumps(event).encode(), key=str(seq).encode(), headers=headers)
            forged += 1
    for key, value, headers in (records[0], records[-1], records[len(records) // 2]):
        producer.produce("ledger.log.v1", value, key=key, headers=headers)
    producer.produce("ledger.log.v1", b"\xff no JSON")
    producer.flush()
    return forged


@case(
    "security/04",
    "all acknowledged events are back and no forged one, with the lab down and with only its ledger down",
    as_root=True,
)
def forged_history(context: Context) -> Outcome:
    """`ledger recover` installs events that another user put on the topic."""
    lab = context.stopped_lab()
    lab.ok("up")
    try:
        lab.ok("submit", str(PAPERS / "copd-azithromycin.pdf"), "--wait")
        wait_until(lambda: lab.ok("status")["lag"]["outbox"] == 0, 30, "all events are on the topic")
        settings = login(lab)
        forged = context.as_other_user(lambda: forge_history(settings))
        before = events(lab)
        lab.run("down")
        damage(lab)
        down = lab.run("ledger", "recover", "--json")
        lab.ok("up")
        after_down = events(lab)[: len(before)] == before
        lab.run("down")
        damage(lab)
        lab.run("up")
        settings = login(lab)
        broken = lab.run("ledger", "recover", "--json")
        wait_until(lambda: lab.run("status", "--json").code == 0 and is_ready(lab), 60, "the ledger is back")
        after_broken = events(lab)[: len(before)] == before
        names = [job["doc_id"] for job in lab.ok("jobs", "list")]
        proof = lab.run("verify")
    finally:
        lab.run("down")
    said = [json.loads(each.out) for each in (down, broken)]
    clean = not any("Traceback" in each.err for each in (down, broken))
    forged_names = [name for name in names if "MALLORY" in name]
    right = (
        isinstance(forged, int) and after_down and after_broken and clean and not forged_names and proof.code == 0
    ) and all(one["installed"] and one["lost"] is None for one in said)
    return Outcome(
        right,
        f"{forged} forged; lab down: {summary(said[0])}, {'the' if after_down else 'not the'} same events; only the ledger down: "
        f"{summary(said[1])}, {'the' if after_broken else 'not the'} same events; forged jobs: {len(forged_names)}; "
        f"{'no traceback' if clean else 'a traceback'}; {proof.out.strip()}",
    )


def summary(report: dict[str, Any]) -> str:
    """What a recovery took from where, in a line."""
    taken = ", ".join(f"{each['source']} {each['first']}-{each['last']}" for each in report["taken"])
    return f"{taken} ({report['problems'].get('topic', 'nothing odd on the topic')})"


def events(lab: TestLab) -> list[dict[str, Any]]:
    """All events of the ledger."""
    found: list[dict[str, Any]] = logged(Lab.at(lab.home).ledger, 0, limit=10_000)
    return found


def is_ready(lab: TestLab) -> bool:
    """Whether the ledger runs."""
    return any(one["name"] == "ledgerd" and one["state"] == "ready" for one in lab.ok("status")["processes"])


def damage(lab: TestLab) -> None:
    """Put noise on all but the first pages of the ledger's file."""
    path = lab.home / "data" / "ledger" / "ledger.duckdb"
    content = bytearray(path.read_bytes())
    for place in range(3 * 4096, len(content) - 4096, 4096):
        content[place : place + 64] = os.urandom(64)
    path.write_bytes(content)
