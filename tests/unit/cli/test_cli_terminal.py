"""What commands write to a terminal: foreign control characters are shown, our own act; signals end a command in order."""

import io
import os
import signal
import sys
from pathlib import Path

import pytest

from medkg_lab.cli import main, streams
from medkg_lab.cli.output import print_file, print_styled
from tests.terminals import PseudoTerminal

HOSTILE = "\x1b]0;Q\x07 \x9b31m \u202egpj"


class Terminal(io.BytesIO):
    """The bytes that a terminal gets."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_foreign_text_is_made_visible_and_our_own_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", streams.TerminalStream(io.TextIOWrapper(terminal, "utf-8")))
    print(HOSTILE)
    sys.stdout.writelines([HOSTILE, "\n"])
    print_file(HOSTILE)
    print_styled("\x1b[1mbold\x1b[0m\n")
    written = terminal.getvalue().decode()
    assert written.count("␛]0;Q␇ �31m <U+202E>gpj") == 3
    assert written.endswith("\x1b[1mbold\x1b[0m\n")
    assert "\x07" not in written


def test_what_an_encoding_lacks_is_escaped() -> None:
    raw = Terminal()
    stream = streams.TerminalStream(io.TextIOWrapper(raw, "latin-1"))
    stream.write("café → 漢\n")
    assert raw.getvalue() == b"caf\xe9 \\u2192 \\u6f22\n"


def test_streams_of_a_test_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with streams.usable_streams():
        assert sys.stdout is before
        print("x")
    assert capsys.readouterr().out == "x\n"


def test_without_standard_input_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(streams.NoStandardInput):
        streams.standard_input()


def command(home: Path, *arguments: str) -> PseudoTerminal:
    """A command in a terminal."""
    environment = {"PATH": os.environ["PATH"], "MEDKG_LAB_HOME": str(home), "LC_ALL": "C.UTF-8", "TERM": "xterm"}
    return PseudoTerminal([sys.executable, "-m", "medkg_lab.cli.main", *arguments], environment)


@pytest.mark.parametrize(
    "arguments",
    [
        ("pipeline", "validate", f"{HOSTILE}.yaml"),
        ("submit", HOSTILE),
        ("pipeline", "show", HOSTILE),
        ("repro", "show", f"{HOSTILE}.mklab"),
        ("repro", "import", f"{HOSTILE}.mklab"),
        ("mesh", "import", HOSTILE),
        ("logs", HOSTILE),
        ("search", "x", "--limit", HOSTILE),
        ("broker", "copy", "--from", HOSTILE, "--to", "embedded"),
        ("eval", "parsing", HOSTILE),
        (HOSTILE,),
    ],
)
def test_no_command_lets_a_name_act_on_the_terminal(short_tmp: Path, arguments: tuple[str, ...]) -> None:
    found = command(short_tmp, *arguments)
    try:
        assert found.ended() in (1, 2)
        written = found.written.decode()
    finally:
        found.close()
    assert "gpj" in written
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(written)


def test_sigterm_and_sighup_end_a_command_in_order() -> None:
    for number in main.ENDING:
        reading = _waiting()
        try:
            reading.sees(b"ready")
            reading.signal(number)
            assert reading.ended() == 128 + number
            assert b"in order" in reading.written
        finally:
            reading.close()


def _waiting() -> PseudoTerminal:
    script = (
        "import time\nfrom medkg_lab.cli.main import end_on_signals\nend_on_signals()\n"
        "try:\n  print('ready', flush=True); time.sleep(60)\nfinally:\n  print('in order', flush=True)\n"
    )
    return PseudoTerminal([sys.executable, "-c", script], {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    term = signal.getsignal(signal.SIGTERM)
    try:
        main.end_on_signals()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.signal(signal.SIGTERM, term)
