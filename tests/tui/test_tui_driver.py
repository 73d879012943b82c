"""The screen in a real pseudo-terminal: any bytes, any signal, a terminal that goes away, a fault of its own."""

import contextlib
import os
import random
import signal
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab import exit_codes
from tests.terminals import IN_USE, RESTORED, PseudoTerminal, screen_in_terminal
from tests.waiting import wait_until

SGR_AGAIN = b"\x1b[?1006h"
FLOOD = b"\x1b[M\xff\xfe\x80" * 20_000
HOSTILE = (
    b"\x1b[M \xe00", b"\xe9", b"\xff" * 5000, b"\x1b[M", b"\x1b[M ", b"\x1b[", b"\x1b[12;", b"\x1b]11;rgb:0/0/0\x1b\\",
    b"\x1b[?62;22c", b"\x1b[99999999999u", b"\x1b[1114112u", b"\x1b[48;100000;100000;0;0t", b"\x1b[48;0;0;0;0t",
    b"\x1b[200~a paste without an end", b"\x1bP" + b"x" * 10_000, b"\x1b[" + b"1" * 10_000, b"\x00", b"\x9b31m",
    b"\x1b[<0;99999999999999999999;1M", b"\xc3",
)  # fmt: skip
FAULT = """
from medkg_lab.tui import driver
from medkg_lab.tui.app import run
def fail(self, data):
    raise ValueError("from \\x1b]0;the thread\\x07")
driver.TerminalInput.feed = fail
raise SystemExit(run(start=False, theme="dark"))
"""


@pytest.fixture
def terminal(short_tmp: Path) -> Iterator[PseudoTerminal]:
    """The screen, once it is seen."""
    with screen_in_terminal(short_tmp) as found:
        found.sees(*IN_USE, b"No lab")
        yield found


def is_restored(terminal: PseudoTerminal) -> bool:
    """Whether all that was asked of the terminal was taken back, in the end."""
    written = terminal.written
    return all(written.rfind(word) > written.rfind(IN_USE[0]) for word in RESTORED)


def goes_on(terminal: PseudoTerminal) -> None:
    """A key still does what it does: Jobs and back. One that is typed into an unfinished paste is lost, and typed again."""
    for key, word in ((b"2", b"DOCUMENT"), (b"1", b"Processes")):
        at = len(terminal.written)
        for _ in range(20):
            terminal.type(key)
            with contextlib.suppress(AssertionError):
                terminal.sees(word, after=at, seconds=3)
                break
        terminal.sees(word, after=at)


def test_the_screen_survives_any_bytes(terminal: PseudoTerminal) -> None:
    for data in HOSTILE:
        terminal.type(data)
    for data in HOSTILE:
        terminal.type(*(data[at : at + 1] for at in range(min(len(data), 40))))
    at = len(terminal.written)
    terminal.type(b"\x1b[M \xe00")
    terminal.sees(SGR_AGAIN, after=at)
    terminal.type(FLOOD)
    noise = random.Random(7)
    terminal.type(bytes(noise.choice(b"\x80\x90\x9b\xc3\xe9\xff") for _ in range(50_000)))
    wait_until(lambda: terminal.code is None, 1, "the screen going on")
    goes_on(terminal)
    terminal.signal(signal.SIGTERM)
    assert terminal.ended() == 128 + signal.SIGTERM


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"])
def test_a_signal_leaves_the_terminal_as_it_was(terminal: PseudoTerminal, name: str) -> None:
    number = getattr(signal, name)
    terminal.signal(number)
    assert terminal.ended() == 128 + number
    assert is_restored(terminal)


def test_it_is_suspended_and_goes_on(terminal: PseudoTerminal) -> None:
    def is_stopped() -> bool:
        stat = Path(f"/proc/{terminal.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    before = termios.tcgetattr(terminal._master)
    for number in (signal.SIGTSTP, signal.SIGSTOP):
        at = len(terminal.written)
        terminal.signal(number)
        wait_until(is_stopped, 20, "the stop")
        if number == signal.SIGTSTP:
            terminal.sees(*RESTORED, after=at)
            assert termios.tcgetattr(terminal._master)[3] & termios.ECHO
        terminal.signal(signal.SIGCONT)
        terminal.sees(*IN_USE, b"No lab", after=at)
        goes_on(terminal)
    assert termios.tcgetattr(terminal._master)[:4] == before[:4]
    # Going on twice starts nothing twice.
    threads = len(os.listdir(f"/proc/{terminal.pid}/task"))
    terminal.signal(signal.SIGCONT)
    goes_on(terminal)
    assert len(os.listdir(f"/proc/{terminal.pid}/task")) <= threads + 1
    terminal.signal(signal.SIGTERM)
    assert terminal.ended() == 128 + signal.SIGTERM
    assert is_restored(terminal)


def test_without_its_terminal_it_ends(terminal: PseudoTerminal) -> None:
    terminal.hang_up()
    assert terminal.ended() == 128 + signal.SIGHUP


def test_a_fault_in_the_input_thread_ends_it_with_a_sentence(short_tmp: Path) -> None:
    with screen_in_terminal(short_tmp, script=FAULT) as terminal:
        terminal.sees(*IN_USE, b"No lab")
        terminal.type(b"x")
        assert terminal.ended() == exit_codes.FAILED
        assert is_restored(terminal)
        assert b"The screen stopped: ValueError: from" in terminal.written
        assert b"\x1b]0;the thread" not in terminal.written
    assert (short_tmp / "lab" / "state" / "screen-stopped.txt").is_file()
