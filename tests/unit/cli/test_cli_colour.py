"""Colours: on a terminal, unless NO_COLOR says no; FORCE_COLOR also elsewhere. Foreign text brings none."""

import io

import pytest

from medkg_lab.cli.colour import is_coloured
from medkg_lab.cli.output import print_table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "on_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_the_variables_decide(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], on_terminal: bool, elsewhere: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (is_coloured(Terminal()), is_coloured(io.StringIO())) == (on_terminal, elsewhere)


def test_states_are_coloured_and_foreign_text_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("a", "completed"), ("b\x1b[31m", "failed")]
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    print_table(("document", "state"), rows)
    assert "\x1b" not in capsys.readouterr().out
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_table(("document", "state"), rows)
    out = capsys.readouterr().out
    assert "\x1b[32mcompleted\x1b[0m" in out
    assert "\x1b[31mfailed\x1b[0m" in out
    assert out.count("\x1b[31m") == 1
