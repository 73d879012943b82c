"""A process's log lines: text or JSON, with their fields, without secrets; shown by what real processes write."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab import logs
from medkg_lab.logs import fields, hide_secrets

PROGRAM = """
import logging, sys, threading, warnings
from medkg_lab import process
from medkg_lab.logs import fields

def main():
    log = logging.getLogger("medkg_lab.pdf.request_consumer")
    log.info("%s is read\\nagain", "paper.pdf", extra=fields(job="j1", batch="b1", stage="parse", event="pdf.read"))
    log.warning("asked http://anna:hunter2pass@host/x?code=abc123 with Authorization: Bearer 0123456789abcdef")
    log.error("sasl.password=hunter2pass and {'token': 'hunter2pass'}")
    try:
        raise ValueError("the password is password=hunter2pass")
    except ValueError:
        log.exception("it failed")
    warnings.warn("old")
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start(); thread.join()
    raise RuntimeError("token: hunter2pass")

process.run("pdf", main)
"""


def written(**environment: str) -> str:
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    return ended.stderr


def test_each_line_of_a_process_is_an_object_with_its_fields() -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in written(MEDKG_LOG_FORMAT="json").splitlines()]
    first = lines[0]
    assert first.pop("time").endswith("+00:00")
    assert first.pop("pid") > 0
    assert first == {
        "level": "info",
        "process": "pdf",
        "logger": "medkg_lab.pdf.request_consumer",
        "message": "paper.pdf is read\nagain",
        "job": "j1",
        "batch": "b1",
        "stage": "parse",
        "event": "pdf.read",
    }
    assert [one["level"] for one in lines] == ["info", "warning", "error", "error", "warning", "critical", "critical"]
    assert "ZeroDivisionError" in lines[5]["traceback"]
    assert "RuntimeError" in lines[6]["traceback"]


def test_text_says_the_fields_in_brackets() -> None:
    text = written(MEDKG_LOG_FORMAT="text")
    assert (
        "INFO medkg_lab.pdf.request_consumer: paper.pdf is read\nagain [job=j1 batch=b1 stage=parse event=pdf.read]\n"
        in text
    )


@pytest.mark.parametrize("form", logs.FORMATS)
def test_no_secret_is_in_a_processs_log(form: str) -> None:
    text = written(MEDKG_LOG_FORMAT=form)
    kept = text.rpartition("RuntimeError")[0] if form == "text" else text  # Python itself prints what ends a process
    for secret in ("hunter2pass", "abc123", "0123456789abcdef"):
        assert secret not in kept
    assert text.count("***") >= 5


@given(secret=st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=8), place=st.sampled_from([
    "password={}", "sasl.password: {}", '"token": "{}"', "api_key={}&x=1", "Bearer {}", "http://u:{}@h/", "/?code={}",
    "client_secret={}", "OPENAI_API_KEY={}",
]))  # fmt: skip
def test_a_secret_is_hidden_wherever_it_stands(secret: str, place: str) -> None:
    line = place.format(secret)
    assert hide_secrets(f"before {line} after") != f"before {line} after"
    assert secret not in hide_secrets(f"before {line} after").replace("***", "")


@pytest.mark.parametrize(
    "text", ["exit code 70", "5 tokens", "the key of a job: j1", "http://host:8080/a@b", "basic facts"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert hide_secrets(text) == text


def test_fields_that_are_not_known_are_not_given() -> None:
    assert fields(event="outbox.waits", stage=None) == {"event": "outbox.waits"}


def test_the_option_of_a_process_chooses_the_format() -> None:
    options = ["--data", "x", "--port", "0", "--host", "192.0.2.1", "--no-authentication", "--log-format", "json"]
    command = [sys.executable, "-m", "medkg_lab.broker.embedded", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    (line,) = map(json.loads, ended.stderr.splitlines())
    assert (line["process"], line["level"]) == ("broker", "error")
    assert "192.0.2.1" in line["message"]


def test_the_setting_chooses_the_format_of_the_lab(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "settings.yaml").write_text(f"logs:\n  format: json\nports:\n  dagster: {port}\n")
        command = [sys.executable, "-m", "medkg_lab.supervisor", "--home", str(tmp_path)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    (line,) = map(json.loads, ended.stderr.splitlines())
    assert line["process"] == "labd"
    assert str(port) in line["message"]
