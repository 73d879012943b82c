"""The broker of a lab on a machine with another user: its topics, its connections, its port, and the clock."""

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import confluent_kafka
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from kio.schema.errors import ErrorCode

from medkg_lab.broker.address import Address, producer_password_file, scram_login
from medkg_lab.broker.client import group_listing, topic_listing
from medkg_lab.broker.topics import EVENTS, LEDGER_LOG, REQUESTS
from medkg_lab.lab.facade import Lab
from medkg_lab.topology import bundled
from tests.brokers import LAB, PRODUCER, BrokerProcess, librdkafka, make_topic
from tests.cases.case import Context, Outcome, case
from tests.conformance.broker import outside
from tests.kafka_frames import ask, log_in
from tests.labs import TestLab
from tests.waiting import wait_until

GROUP = "medkg-intake"
WRONG = {"no login": {}, "PLAIN": {"sasl.mechanism": "PLAIN"}, "a guess": {"sasl.mechanism": "SCRAM-SHA-256"}}
ATTACK_SECONDS = 20.0


REFUSED = {"commit without a login": "ConnectionResetError", "password file": "PermissionError"}
OFFSET_COMMIT = 8


def documents() -> list[str]:
    """Small documents that become jobs."""
    return [str(bundled.folder() / "demo" / name) for name in ("trials", "articles")]


def commit_bare(port: int) -> None:
    """Commit an offset as if the login had happened, and use the connection once more."""
    partition = {"partition_index": 0, "committed_offset": 99, "committed_metadata": ""}
    body = {"group_id": GROUP, "generation_id_or_member_epoch": -1, "member_id": "", "retention_time": -1}
    connection = socket.socket()
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    with connection:
        for _ in range(2):
            ask(connection, OFFSET_COMMIT, 2, body | {"topics": [{"name": REQUESTS, "partitions": [partition]}]})


def port_of(lab: TestLab) -> int:
    return int(lab.ok("status")["ports"]["broker"])


def attackers(port: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The settings of clients that are not let in, by how they try."""
    for name, more in WRONG.items():
        login = (
            {"security.protocol": "sasl_plaintext", "sasl.username": LAB, "sasl.password": "guess" * 4} if more else {}
        )
        yield name, {**librdkafka(f"127.0.0.1:{port}"), **login, **more}


@case("security/01", "no record is read, no offset is kept, every submission becomes a job", as_root=True)
def steal_the_work_queue(given: Context) -> Outcome:
    """Consumers of another user want to be the intake, with and without a login, while documents are submitted."""
    with given.lab() as lab:
        port, secret = port_of(lab), lab.home / "state" / f"broker-{LAB}.password"

        def attack() -> dict[str, Any]:
            found: dict[str, Any] = {}
            consumers = []
            for name, settings in attackers(port):
                consumer = confluent_kafka.Consumer(settings | {"group.id": GROUP, "auto.offset.reset": "earliest"})
                consumer.subscribe([REQUESTS])
                consumers.append((name, consumer))
                found[name] = 0
            until = time.monotonic() + ATTACK_SECONDS
            while time.monotonic() < until:
                for name, consumer in consumers:
                    message = consumer.poll(0.1)
                    found[name] += message is not None and message.error() is None
            found["commit without a login"] = _tries(lambda: commit_bare(port))
            found["password file"] = _tries(secret.read_text)
            return found

        stolen, submitted = _while_attacked(given, attack, lambda: lab.ok("submit", *documents(), "--wait"))
        jobs = lab.ok("jobs", "list")
        states = {one["state"] for one in jobs}
        groups = group_listing(Lab.at(lab.home).bootstrap)
        kept = [(one.committed, one.lag) for one in groups if one.group == GROUP]
        right = stolen == dict.fromkeys(WRONG, 0) | REFUSED
        right &= states == {"completed"} and submitted["jobs"] == {"completed": len(jobs)}
        right &= sum(committed for committed, _ in kept) == len(jobs) and not any(lag for _, lag in kept)
        shown = f"by another user: {stolen}; {len(jobs)} jobs {sorted(states)}, committed and lag {kept}"
        return Outcome(right, shown)


def _tries(work: Callable[[], Any]) -> str:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - what it is is the finding
        return type(error).__name__
    return "it went well"


def _while_attacked(given: Context, attack: Callable[[], Any], work: Callable[[], Any]) -> tuple[Any, Any]:
    """What the attack got, and what `work` returned meanwhile."""
    import threading

    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(given.as_other_user(attack, timeout=400)))
    thread.start()
    try:
        done = work()
    finally:
        thread.join()
    return got[0], done


def _outcomes(futures: dict[Any, Any]) -> list[str]:
    """The errors of an administrator's requests; "done" is one that went well."""
    found = []
    for future in futures.values():
        try:
            future.result(8)
            found.append("done")
        except confluent_kafka.KafkaException as error:
            found.append(error.args[0].name())
        except TimeoutError:
            found.append("no answer")
    return found


def attacks(settings: dict[str, Any]) -> dict[str, list[str]]:
    """Everything of the case, each as the errors that came."""
    admin = AdminClient(settings)
    places = [TopicPartition(LEDGER_LOG, 0, -1), *(TopicPartition(EVENTS, number, -1) for number in range(4))]
    entry = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, REQUESTS, incremental_configs=[entry])
    topics = [REQUESTS, LEDGER_LOG, EVENTS]
    found = {
        "delete records": _outcomes(admin.delete_records(places, request_timeout=5)),
        "alter": _outcomes(admin.incremental_alter_configs([resource], request_timeout=5)),
        "delete groups": _outcomes(admin.delete_consumer_groups([GROUP], request_timeout=5)),
        "create": _outcomes(admin.create_topics([NewTopic(f"m{n}", 256) for n in range(8)], request_timeout=5)),
        "delete": _outcomes(admin.delete_topics(topics, request_timeout=5)),
    }
    errors: list[str] = []
    producer = confluent_kafka.Producer(settings | {"message.timeout.ms": 4000})
    for topic in ("mallory.fill", LEDGER_LOG):
        producer.produce(
            topic, b"x" * 500_000, on_delivery=lambda error, _: errors.append(error.name() if error else "done")
        )
    producer.flush(10)
    return found | {"fill": errors}


@case("security/03", "every attack is refused; a topic that the owner deletes is made again and named", as_root=True)
def administrate(given: Context) -> Outcome:
    """Another user deletes, alters, fills; then the account of producers does; then the owner deletes a topic."""
    with given.lab() as lab:
        lab.ok("submit", *documents(), "--wait")
        address = Lab.at(lab.home).bootstrap
        before = topic_listing(address)
        password = producer_password_file(Lab.at(lab.home).settings.broker, Lab.at(lab.home).locations).read_text()
        producer = Address(str(address), tuple(scram_login(PRODUCER, password).items()))

        def attack() -> dict[str, Any]:
            found = {name: attacks(settings) for name, settings in attackers(port_of_address(address))}
            return found | {"as producer": attacks(librdkafka(producer))}

        got = given.as_other_user(attack, timeout=400)
        answers = {answer for one in got.values() for many in one.values() for answer in many}
        unchanged = topic_listing(address) == before
        admin = AdminClient(librdkafka(address))
        _outcomes(admin.delete_topics([REQUESTS]))
        wait_until(lambda: REQUESTS in {one.topic for one in topic_listing(address)}, 30, "the topic again")
        again = lab.ok("submit", *documents(), "--again", "--wait")
        states = {one["state"] for one in lab.ok("jobs", "list")}
        reasons = [why for why in lab.ok("status", "--why")["why"] if REQUESTS in why]
        right = (
            "done" not in answers and unchanged and bool(reasons) and states == {"completed"} and bool(again["jobs"])
        )
        shown = f"answers {sorted(answers)}; topics unchanged: {unchanged}; then {sorted(states)}, --why: {reasons}"
        return Outcome(right, shown)


def port_of_address(address: Address) -> int:
    return int(address.servers.rpartition(":")[2])


@case("security/05", "submitting goes on under 400 idle, half and slow connections; few log lines", as_root=True)
def crowd_the_broker(given: Context) -> Outcome:
    """Another user opens 400 connections that say nothing, half a length, and half a frame."""
    with given.lab() as lab:
        port, shown, right = port_of(lab), [], True
        log = lab.home / "state" / "logs" / "broker.log"
        for mode, said in (("idle", b""), ("half", b"\0\0"), ("slow", b"\0\0\x10\0")):

            def attack(said: bytes = said) -> dict[str, int]:
                return crowd(port, said, 400, ATTACK_SECONDS)

            lines = log.read_text().count("\n")
            began = time.monotonic()
            crowded, _ = _while_attacked(given, attack, lambda: lab.ok("submit", *documents(), "--again"))
            listed = lab.ok("broker", "topics")
            took, lines = time.monotonic() - began, log.read_text().count("\n") - lines
            right &= bool(listed) and lines < 20 and crowded["open at the end"] == 0
            shown.append(f"{mode}: {crowded}, owner done within {took:.0f} s, {lines} log lines")
        return Outcome(right, "; ".join(shown))


def crowd(port: int, said: bytes, number: int, seconds: float) -> dict[str, int]:
    """Open connections, say `said` on each, wait, and count those that are still open."""
    held, refused = [], 0
    for _ in range(number):
        connection = socket.socket()
        connection.settimeout(2)
        try:
            connection.connect(("127.0.0.1", port))
            connection.sendall(said)
        except OSError:
            refused += 1
        held.append(connection)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not any(map(is_open, held)), seconds, "the end of all of them")
    return {"opened": number - refused, "open at the end": sum(map(is_open, held))}


def is_open(connection: socket.socket) -> bool:
    """Whether the other side has not closed it."""
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


@case("security/06", "whoever holds the lab's port gets no password; the secrets are new at each start", as_root=True)
def squat_on_the_port(given: Context) -> Outcome:
    """Another user listens where the broker did, as a broker that wants passwords."""
    with given.lab() as lab:
        port = port_of(lab)
        files = [lab.home / "state" / f"broker-{name}.password" for name in (LAB, PRODUCER)]
        old = [path.read_text() for path in files]
    lab = given.stopped_lab()

    stop, end = os.pipe()

    def squat() -> list[str]:
        os.close(end)
        return fake_broker(port, stop)

    def use() -> list[str]:
        wait_until(lambda: listens(port), 20, "the squatter")
        up = lab.run("up", timeout=200)
        notes = [f"up: {up.code}"]
        address = Lab.at(lab.home).bootstrap
        for arguments in (("broker", "topics"), ("broker", "access", "--show-password")):
            done = lab.run(*arguments, timeout=60)
            notes.append(f"{arguments[1]}: {done.code} {done.err.strip()[-160:] if done.code else ''}".strip())
        notes.append("the port was kept" if port_of_address(address) == port else "another port was taken")
        os.close(end)
        lab.run("down")
        return notes

    heard, notes = _while_attacked(given, squat, use)
    renewed = all(path.read_text() not in old for path in files)
    secrets = [*old, *(path.read_text() for path in files)]
    leaked = [line for line in heard if any(secret in line for secret in secrets)]
    kept = "the port was kept" in notes
    refused = all("belongs to a program of another user" in note for note in notes[1:3])
    right = not leaked and renewed and (refused if kept else notes[0] == "up: 0")
    return Outcome(right, f"heard by the squatter: {heard[:5]}; {notes}; secrets new: {renewed}")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def fake_broker(port: int, stop: int) -> list[str]:
    """What clients say to something that answers as a broker that offers PLAIN and SCRAM, until `stop` can be read."""
    heard: list[str] = []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(50)
        listener.settimeout(1)
        while not select.select([stop], [], [], 0)[0]:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                connection.settimeout(2)
                with connection, contextlib.suppress(OSError, struct.error):
                    _play_broker(connection, heard)
    return heard


def _play_broker(connection: socket.socket, heard: list[str]) -> None:
    while True:
        (size,) = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))
        frame = connection.recv(size, socket.MSG_WAITALL)
        key, version, correlation = struct.unpack(">hhi", frame[:8])
        heard.append(f"API {key}: {frame[8:].decode(errors='replace')}")
        if key == 18:
            apis = [(18, 0, 0), (17, 0, 1), (36, 0, 1), (3, 0, 1), (0, 0, 3), (1, 0, 4)]
            body = struct.pack(">ihi", correlation, 0 if version == 0 else 35, len(apis))
            body += b"".join(struct.pack(">hhh", *api) for api in apis)
        elif key == 17:
            body = struct.pack(">ihi", correlation, 0, 2) + struct.pack(">h5sh13s", 5, b"PLAIN", 13, b"SCRAM-SHA-256")
        else:
            return
        connection.sendall(struct.pack(">i", len(body)) + body)


FIND_COORDINATOR, OFFSET_FETCH = 10, 9


@case("lab/09", "FindCoordinator 4 to 6 and OffsetFetch 8 to 9 answer for several groups; the client reads in a group")
def batched_versions(given: Context) -> Outcome:
    """The two APIs in the versions that were missing, and @platformatic/kafka where it can be had."""
    broker = BrokerProcess(given.scratch).start()
    try:
        make_topic(broker.bootstrap, "t", 2)
        with broker.connect() as connection:
            log_in(connection, LAB, broker.passwords[LAB])
            answered = [_batched(connection, version) for version in (4, 5, 6)]
            answered += [_fetched(connection, version) for version in (8, 9)]
        client = outside.platformatic(broker, "t", given.scratch)
        return Outcome(
            all(answered) and client in (outside.WRITTEN, None), f"versions {answered}, client read {client}"
        )
    finally:
        broker.close()


def _batched(connection: socket.socket, version: int) -> bool:
    found = ask(connection, FIND_COORDINATOR, version, {"key_type": 0, "coordinator_keys": ["a", "b"]}).coordinators
    return [(one.key, one.error_code) for one in found] == [("a", ErrorCode.none), ("b", ErrorCode.none)]


def _fetched(connection: socket.socket, version: int) -> bool:
    groups = [
        {
            "group_id": name,
            "member_id": None,
            "member_epoch": -1,
            "topics": [{"name": "t", "partition_indexes": [0, 1]}],
        }
        for name in ("a", "b")
    ]
    found = ask(connection, OFFSET_FETCH, version, {"groups": groups, "require_stable": False}).groups
    return [(one.group_id, len(one.topics[0].partitions)) for one in found] == [("a", 2), ("b", 2)]
