"""Every command with every kind of standard stream and locale: no traceback, an exit code that means something."""

import json
import os
import signal
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest

from medkg_lab import exit_codes
from tests.unit.cli.commands import STARTING, filled, leaves

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
CONDITIONS: dict[str, tuple[dict[str, str], str]] = {
    "ascii locale": (ASCII, ""),
    "latin-1 streams": ({"PYTHONIOENCODING": "latin-1"}, ""),
    "ascii streams": ({"PYTHONIOENCODING": "ascii"}, ""),
    "optimized": ({"PYTHONOPTIMIZE": "2"}, ""),
    "stdout closed": ({}, ">&-"),
    "stdout full": ({}, ">/dev/full"),
    "stdin closed": ({}, "<&-"),
    "stderr closed": ({}, "2>&-"),
    "stderr full": ({}, "2>/dev/full"),
    "all closed": ({}, "<&- >&- 2>&-"),
    "reader gone": ({}, "| true"),
}
CODES = {exit_codes.OK, exit_codes.FAILED, exit_codes.USAGE, exit_codes.NOT_READY}
COMMANDS = sorted(leaves())
ROTATION = [(path, condition) for path, condition in zip(COMMANDS, cycle(CONDITIONS), strict=False)]


def ended(
    home: Path, arguments: list[str] | list[bytes], environment: dict[str, str] | None = None, redirection: str = ""
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in a shell with a redirection."""
    kept = {"PATH": os.environ["PATH"], "MEDKG_LAB_HOME": str(home), "HOME": str(home), "EDITOR": "true"}
    command = ["bash", "-c", f'"$@" {redirection}', "bash", sys.executable, "-m", "medkg_lab.cli.main"]
    return subprocess.run(
        [*(os.fsencode(word) for word in command), *(os.fsencode(word) for word in arguments)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        cwd=home,
        env={"LC_ALL": "C.UTF-8"} | kept | (environment or {}),
    )


def assert_clean(done: "subprocess.CompletedProcess[bytes]", what: object) -> None:
    told = done.stdout + done.stderr
    # There is no lab, so none of its parts is waited for.
    for word in (b"Traceback", b"Exception ignored", b"fault of medkg-lab", b"did not answer"):
        assert word not in told, f"{what}: {told.decode(errors='replace')[-2000:]}"
    assert done.returncode in CODES, f"{what} ended with {done.returncode}: {told.decode(errors='replace')}"


def test_there_are_many_commands() -> None:
    assert len(COMMANDS) > 50
    assert ("graph", "export") in COMMANDS


def one(home: Path, path: tuple[str, ...], condition: str, with_help: bool = True) -> None:
    """Run the command with what it needs, unless it starts something that stays, and ask it for help."""
    environment, redirection = CONDITIONS[condition]
    given = [] if path in STARTING else [filled(path)]
    for arguments in [*given, [*path, "--help"]] if with_help or not given else given:
        done = ended(home, arguments, environment, redirection)
        assert_clean(done, (arguments, condition))
        if environment and "UTF" not in environment.get("LC_ALL", "") and condition.startswith("ascii"):
            assert done.stdout.isascii()


@pytest.mark.parametrize(
    ("path", "condition"), ROTATION, ids=lambda each: each if isinstance(each, str) else "-".join(each)
)
def test_a_command_in_one_kind_of_streams(short_tmp: Path, path: tuple[str, ...], condition: str) -> None:
    one(short_tmp, path, condition, with_help=False)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_command_in_every_kind_of_streams(short_tmp: Path, condition: str) -> None:
    for path in COMMANDS:
        one(short_tmp, path, condition)


@pytest.mark.full
@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in STARTING], ids="-".join)
def test_an_argument_that_is_not_utf8_is_a_sentence(short_tmp: Path, path: tuple[str, ...]) -> None:
    given = filled(path, word="caf\udce9")
    done = ended(short_tmp, given)
    assert_clean(done, path)
    assert b"surrogates" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "caf\udce9"], ["jobs", "show", "caf\udce9"], ["jobs", "list", "--doc", "caf\udce9"],
        ["sql", "caf\udce9"], ["graph", "node", "caf\udce9"], ["gate", "open", "caf\udce9"], ["restart", "caf\udce9"],
        ["broker", "tail", "caf\udce9"], ["broker", "produce", "caf\udce9", "x"],
        ["broker", "produce", "x", "caf\udce9"], ["broker", "produce", "x", "--key", "caf\udce9", "x"],
        ["events", "--job", "caf\udce9"], ["repro", "export", "caf\udce9", "--out", "x"],
        ["ledger", "snapshot", "caf\udce9"], ["submit", "caf\udce9"], ["pipeline", "show", "caf\udce9"],
        ["--home", "caf\udce9", "status"],
    ],
    ids=lambda given: "-".join(given[:2]),
)  # fmt: skip
def test_text_that_is_not_utf8_is_refused_before_anyone_is_asked(short_tmp: Path, arguments: list[str]) -> None:
    done = ended(short_tmp, arguments)
    assert_clean(done, arguments)
    assert done.returncode == exit_codes.USAGE
    assert b"is not UTF-8" in done.stderr


def test_a_real_file_may_have_any_name(short_tmp: Path) -> None:
    path = os.path.join(os.fsencode(short_tmp), b"caf\xe9.json")
    with open(path, "wb") as file:
        file.write(b"{}")
    done = ended(short_tmp, ["submit", os.fsdecode(path)])
    assert_clean(done, "submit")
    assert done.returncode == exit_codes.NOT_READY, done.stderr


def test_a_locale_without_utf8_may_type_in_its_own_encoding(short_tmp: Path) -> None:
    done = ended(short_tmp, ["submit", "caf\udcc3\udca9"], ASCII)
    assert done.returncode == exit_codes.USAGE
    assert b"caf\\xe9" in done.stderr


def test_a_help_that_cannot_be_written_has_failed(short_tmp: Path) -> None:
    done = ended(short_tmp, ["--help"], redirection=">/dev/full")
    assert done.returncode == exit_codes.FAILED
    assert b"No space left" in done.stderr


def test_json_stays_json_in_any_locale(short_tmp: Path) -> None:
    for environment in (ASCII, {"PYTHONIOENCODING": "latin-1"}):
        done = ended(short_tmp, ["pipeline", "list", "--json"], environment)
        assert any("→" not in one["name"] for one in json.loads(done.stdout)["pipelines"])


def test_messages_survive_an_optimizing_python(short_tmp: Path) -> None:
    done = ended(short_tmp, ["jobs", "show", "nope"], {"PYTHONOPTIMIZE": "2"})
    assert b"Start one with `medkg-lab up`" in done.stderr
    command = [sys.executable, "-OO", "-m", "medkg_lab.cli.main", "paths"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode == exit_codes.USAGE
    assert "Start it without that option" in refused.stderr


def test_an_error_of_the_parser_holds_no_control_characters(short_tmp: Path) -> None:
    done = ended(short_tmp, ["repro", "show", "x\x1b]0;Q\x07.mklab"])
    assert done.returncode == exit_codes.USAGE
    assert b"unrecognized arguments" in done.stderr
    assert not set(b"\x1b\x07") & set(done.stderr)


def test_ctrl_c_while_the_command_is_loaded_shows_no_traceback() -> None:
    raises = "import medkg_lab.cli, os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(60)"
    command = [sys.executable, "-c", f"import sys; sys.argv[0] = '/usr/bin/medkg-lab'; {raises}"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_ctrl_c_within_a_command_is_its_exit_code() -> None:
    raises = "main._run = lambda argv: os.kill(os.getpid(), signal.SIGINT)"
    start = "import sys; sys.argv[0] = '/usr/bin/medkg-lab'; import os, signal; from medkg_lab.cli import main"
    command = [sys.executable, "-c", f"{start}; {raises}; sys.exit(main.main())"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (exit_codes.INTERRUPTED, b"", b"")
