"""The value of a record that `broker produce` puts on a topic."""

import io
import sys

import pytest

from medkg_lab.cli.commands.broker import NothingToProduce, record_value


def test_a_record_has_the_value_that_was_written_else_what_comes_on_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}\xff\n")))
    assert record_value(None, "ingest.requests.v1") == b"{}\xff\n"
    assert record_value("", "ingest.requests.v1") == b""


def test_without_a_value_and_with_nothing_on_stdin_no_record_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(NothingToProduce, match=r"ingest\.requests\.v1"):
        record_value(None, "ingest.requests.v1")
