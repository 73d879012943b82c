"""Damaged files, other owners, other versions: the ledger does not start with a loss, and says why."""

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from medkg_lab import exit_codes
from medkg_lab.ledger.errors import LedgerDamaged, LedgerShort
from medkg_lab.ledger.store import EventStore
from tests.integration.ledger.harness import LedgerProcess, register, submit

FLIPS = 40
CUTS = 25


@pytest.fixture
def process(short_tmp: Path) -> Iterator[LedgerProcess]:
    with LedgerProcess(short_tmp / "home") as made:
        yield made


@pytest.fixture
def killed(process: LedgerProcess) -> LedgerProcess:
    """A ledger that was killed with all of its events in the write-ahead log."""
    process.start()
    with process.client() as client:
        register(client)
        for n in range(40):
            submit(client, f"j{n}")
    process.kill()
    return process


def opened(folder: Path) -> int | None:
    """The last event of the ledger in `folder`, None if it is refused."""
    try:
        store = EventStore(folder / "ledger.duckdb")
    except (LedgerShort, LedgerDamaged):
        return None
    head = store.head
    store.close()
    return head


def damaged(killed: LedgerProcess, target: Path, log: bytes) -> Path:
    """A copy of the ledger's files with another write-ahead log."""
    shutil.copytree(killed.folder, target, ignore=shutil.ignore_patterns("views*"))
    (target / "ledger.duckdb.wal").write_bytes(log)
    return target


def test_a_log_cut_anywhere_is_never_opened_with_a_loss(killed: LedgerProcess, tmp_path: Path) -> None:
    log = (killed.folder / "ledger.duckdb.wal").read_bytes()
    assert opened(damaged(killed, tmp_path / "whole", log)) == 42
    chance = random.Random(1)
    cuts = {len(log) - 1, len(log) - 8, *(chance.randrange(1, len(log)) for _ in range(CUTS))}
    for cut in cuts:
        folder = damaged(killed, tmp_path / str(cut), log[:cut])
        assert opened(folder) is None, f"cut at {cut} of {len(log)}"
        assert (folder / "ledger.duckdb.wal").read_bytes() == log[:cut], "the evidence was changed"


def boundaries(log: bytes) -> list[int]:
    """Where the entries of a write-ahead log end: each is its size and its checksum, 8 bytes each, and its content."""
    for start in range(len(log)):
        ends, place = [start], start
        while place + 16 <= len(log):
            place += 16 + int.from_bytes(log[place : place + 8], "little")
            ends.append(place)
        if place == len(log) and len(ends) > 40:
            return ends
    raise AssertionError("the write-ahead log has another form")


def test_a_log_cut_at_any_entry_is_never_opened_with_a_loss(killed: LedgerProcess, tmp_path: Path) -> None:
    """At each end of the last entries, and a byte before and after it."""
    check_cuts(killed, tmp_path, boundaries(whole_log(killed))[-12:])


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_log_cut_at_every_entry_is_never_opened_with_a_loss(killed: LedgerProcess, tmp_path: Path) -> None:
    check_cuts(killed, tmp_path, boundaries(whole_log(killed)))


def whole_log(killed: LedgerProcess) -> bytes:
    return (killed.folder / "ledger.duckdb.wal").read_bytes()


def check_cuts(killed: LedgerProcess, tmp_path: Path, ends: list[int]) -> None:
    """Cut the log at each of these places and around it: refused, unless nothing is missing."""
    log = whole_log(killed)
    for cut in sorted({end + by for end in ends for by in (-1, 0, 1) if 0 < end + by < len(log)}):
        folder = damaged(killed, tmp_path / str(cut), log[:cut])
        assert opened(folder) is None, f"cut at {cut} of {len(log)}"
        shutil.rmtree(folder)


def test_a_flipped_byte_never_opens_with_a_loss(killed: LedgerProcess, tmp_path: Path) -> None:
    log = (killed.folder / "ledger.duckdb.wal").read_bytes()
    chance = random.Random(2)
    for flip in {chance.randrange(len(log)) for _ in range(FLIPS)}:
        wrong = bytearray(log)
        wrong[flip] ^= 1 << chance.randrange(8)
        assert opened(damaged(killed, tmp_path / str(flip), bytes(wrong))) in (None, 42), (
            f"flip at {flip} of {len(log)}"
        )


def ended(process: LedgerProcess) -> tuple[int, str]:
    """Exit code and last words of a ledger that cannot start."""
    other = process.spawn()
    assert other.stdout is not None
    assert other.stdout.read() == ""
    return other.wait(60), process.errors


def test_a_short_log_ends_the_process_for_good(killed: LedgerProcess) -> None:
    log = killed.folder / "ledger.duckdb.wal"
    log.write_bytes(log.read_bytes()[:-100])
    code, words = ended(killed)
    assert code == exit_codes.NO_RESTART
    assert "event 42 was acknowledged" in words
    assert "medkg-lab ledger recover" in words


def test_a_second_ledger_ends_at_once(killed: LedgerProcess) -> None:
    killed.start()
    code, words = ended(killed)
    assert code == exit_codes.NO_RESTART
    assert "another process holds" in words
    with killed.client() as client:
        submit(client, "still-here")


def test_a_file_that_a_person_has_open_is_left_alone(killed: LedgerProcess) -> None:
    path = killed.folder / "ledger.duckdb"
    script = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    code, words = ended(killed)
    holder.communicate("", timeout=60)
    assert code == exit_codes.NO_RESTART
    assert "another process holds" in words
    killed.start()


def test_a_newer_schema_is_left_alone(killed: LedgerProcess) -> None:
    killed.start()
    assert killed.stop() == 0
    with duckdb.connect(str(killed.folder / "ledger.duckdb")) as connection:
        connection.execute("INSERT INTO schema_migration VALUES (99, 'x', 0)")
    code, words = ended(killed)
    assert code == exit_codes.NO_RESTART
    assert "another version of the lab" in words
