"""`medkg-lab broker` by hand on a running lab: following, and what is refused."""

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest

from medkg_lab import exit_codes
from tests.labs import TestLab

pytestmark = pytest.mark.timeout(600)
TOPIC = "ingest.deadletter.v1"


@pytest.fixture
def lab(demo: tuple[TestLab, dict[str, Any]]) -> TestLab:
    return demo[0]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Children can be interrupted, also where the tests run in the background of a shell, which ignores that signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def end_by_ctrl_c(process: "subprocess.Popen[str]") -> int:
    process.send_signal(signal.SIGINT)
    return process.wait(20)


@pytest.mark.usefixtures("interruptible")
def test_tail_from_now_shows_what_comes_until_it_is_interrupted(lab: TestLab) -> None:
    lab.ok("broker", "produce", TOPIC, "before")
    following = lab.popen("broker", "tail", TOPIC, "--count", "1", "--follow", "--json")
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["value"] == "before"
    from_now = lab.popen("broker", "tail", TOPIC, "--count", "0")
    assert from_now.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: lines.put(from_now.stdout.readline()), daemon=True).start()
    number = 0
    while lines.empty() and number < 100:
        number += 1
        lab.ok("broker", "produce", TOPIC, f"after {number}", "--key", "")
    assert "before" not in (shown := lines.get(timeout=20))
    assert "after" in shown
    record = json.loads(following.stdout.readline())
    assert (record["key"], record["value"]) == ("", "after 1")
    for process in (following, from_now):
        assert end_by_ctrl_c(process) == exit_codes.INTERRUPTED
        assert process.communicate()[1] == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("tail", "nowhere"), "no topic nowhere"),
        (("tail", "nowhere", "--follow"), "no topic nowhere"),
        (("tail", "not a name"), "no topic not a name"),
        (("tail", TOPIC, "--count", "-1"), "not a number of records"),
        (("produce", "nowhere", "value"), "no topic nowhere"),
    ],
)
def test_what_is_not_there_is_a_usage_error(lab: TestLab, arguments: tuple[str, ...], complaint: str) -> None:
    done = lab.run("broker", *arguments)
    assert (done.code, done.out) == (exit_codes.USAGE, "")
    assert complaint in done.err


def test_a_record_too_large_is_refused_and_said(lab: TestLab) -> None:
    command = [sys.executable, "-m", "medkg_lab.cli.main", "broker", "produce", TOPIC]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stderr=pipe, env=lab.environment)
    _, told = process.communicate(b"x" * 5_000_000, timeout=60)
    assert process.returncode == exit_codes.FAILED
    assert b"too large" in told


def test_a_producer_gets_in_with_what_access_shows(lab: TestLab) -> None:
    shown = lab.ok("broker", "access")
    password = Path(shown["password_file"]).read_text()
    assert password not in json.dumps(shown)
    text = lab.run("broker", "access", "--client", "librdkafka", "--show-password").out
    settings = dict(line.split("=", 1) for line in text.splitlines())
    assert settings["sasl.password"] == password
    seen = confluent_kafka.Producer(settings).list_topics(timeout=20).topics
    assert set(seen) == {"ingest.requests.v1"}
    status = lab.ok("status")
    assert status["broker"]["access"] == "SCRAM-SHA-256"
    java = lab.run("broker", "access", "--client", "java").out
    assert "ScramLoginModule" in java
    assert password not in java
