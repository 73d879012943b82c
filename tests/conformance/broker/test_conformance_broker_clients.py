"""Clients that are no Python: @platformatic/kafka, kafkajs, Java's kafka-clients and kcat log in, write, and read in a group.

They are installed into a folder that goes afterwards; where node, npm, java, maven or kcat are missing, or nothing can be
fetched, the test says so and is skipped.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medkg_lab.broker.client import read_all
from medkg_lab.broker.topics import REQUESTS
from tests.brokers import LAB, PRODUCER, BrokerProcess, ensure_topics, make_topic
from tests.conformance.broker import outside

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    process = BrokerProcess(tmp_path_factory.mktemp("broker")).start()
    ensure_topics(process.bootstrap)
    yield process
    process.close()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetched(tmp_path_factory.mktemp("node"), outside.fetch_node)


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetched(tmp_path_factory.mktemp("java"), outside.fetch_java)


def fetched(folder: Path, fetch: Callable[[Path], None]) -> Path:
    try:
        fetch(folder)
    except outside.NotFetched as error:
        pytest.skip(str(error))
    return folder


Ask = Callable[[str, str], "subprocess.CompletedProcess[str]"]


def check(server: BrokerProcess, topic: str, ask: Ask) -> None:
    """The lab's account writes and reads, the producer's writes requests and nothing else."""
    make_topic(server.bootstrap, topic, 2)
    done = ask(LAB, topic)
    assert (done.returncode, done.stdout.strip()) == (0, outside.WRITTEN), done.stderr[-2000:]
    before = len(list(read_all(server.bootstrap, REQUESTS)))
    done = ask(PRODUCER, REQUESTS)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list(read_all(server.bootstrap, REQUESTS))) == before + outside.COUNT
    refused = ask(PRODUCER, topic)
    assert refused.returncode != 0
    assert "uthoriz" in refused.stderr


@pytest.mark.parametrize("client", ["platformatic", "kafkajs"])
def test_clients_of_node(server: BrokerProcess, node: Path, client: str) -> None:
    def ask(account: str, topic: str) -> "subprocess.CompletedProcess[str]":
        return outside.run_node(node, client, server, account, topic)

    check(server, client, ask)


def test_the_client_of_java(server: BrokerProcess, java: Path) -> None:
    def ask(account: str, topic: str) -> "subprocess.CompletedProcess[str]":
        login = f'username="{account}" password="{server.passwords[account]}"'
        (java / "client.properties").write_text(
            f"bootstrap.servers={server.bootstrap}\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n"
            f"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required {login};\n"
        )
        return outside.run(
            java, "java", "-cp", "lib/*", "Client.java", "client.properties", account, topic, str(outside.COUNT)
        )

    check(server, "java", ask)


def test_kcat(server: BrokerProcess, tmp_path: Path) -> None:
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed")

    def kcat(account: str, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        settings = dict(server.address(account).security) | {"bootstrap.servers": str(server.bootstrap)}
        path = tmp_path / f"{account}.conf"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        command = ["kcat", "-F", str(path), *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60)

    make_topic(server.bootstrap, "kcat")
    assert kcat(LAB, "-P", "-t", "kcat", given="a\nb\n").returncode == 0
    assert kcat(LAB, "-C", "-t", "kcat", "-e", "-q").stdout == "a\nb\n"
    in_group = kcat(LAB, "-G", "kcat-group", "-e", "-q", "-X", "auto.offset.reset=earliest", "kcat")
    assert in_group.stdout == "a\nb\n", in_group.stderr
    before = len(list(read_all(server.bootstrap, REQUESTS)))
    assert kcat(PRODUCER, "-P", "-t", REQUESTS, given="a\n").returncode == 0
    assert len(list(read_all(server.bootstrap, REQUESTS))) == before + 1
    listed = kcat(PRODUCER, "-L").stdout
    assert REQUESTS in listed
    assert "kcat" not in listed
