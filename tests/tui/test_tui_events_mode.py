"""The Events mode on a ledger process: the stream, narrowed, paused, searched, and an event told in full."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medkg_lab.ledger.client import LedgerClient
from medkg_lab.tui.screens.events.ring import EventRing
from medkg_lab.tui.screens.events.rows import EventRow
from medkg_lab.tui.screens.events.screen import EventsScreen
from tests.integration.ledger.harness import LedgerProcess, claim, submit
from tests.tui.ledger_labs import at_now, events_screen, prepared, run_jobs
from tests.tui.screens import SIZES, Screen
from tests.unit.ledger.worlds import failed

pytestmark = pytest.mark.asyncio

HOSTILE = "\x1b]52;c;cm0gLXJm\x07\x1b[2J\x9b31m\u202egnp.exe\u2066 [bold red]loud[/]"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def process(short_tmp: Path) -> Iterator[LedgerProcess]:
    """A ledger that runs."""
    with LedgerProcess(short_tmp / "home") as made:
        made.start()
        yield made


@pytest.fixture
def client(process: LedgerProcess) -> Iterator[LedgerClient]:
    """A client of it; the pipelines are known."""
    with prepared(process) as made:
        yield made


def ring(screen: Screen) -> EventRing:
    """The list."""
    events = screen.app._screen_stacks["events"][0]
    return events.query_one(EventRing)


def rows_of(screen: Screen, job: str) -> list[EventRow]:
    """The rows about a job."""
    return [row for row in ring(screen).live.all() if row.job == job]


def fail(client: LedgerClient, job: str, reason: str = "it is empty") -> None:
    """Let the first stage of a job fail."""
    submit(client, job)
    batch = claim(client)
    first, second = (replace(each, reason=reason) for each in failed("ingest", job))
    client.record(batch.batch_id, [at_now(first), second])


@pytest.mark.parametrize("size", SIZES)
async def test_what_happens_is_seen_at_every_size(
    process: LedgerProcess, client: LedgerClient, size: tuple[int, int]
) -> None:
    run_jobs(client, ["before"])
    async with events_screen(process, size) as screen:
        await screen.sees("file:before", "✓ completed", "✓ done")
        run_jobs(client, ["after"])
        await screen.sees("file:after", "ledger", "screen", "kept")
        await screen.until(lambda: "? help" in screen.text.splitlines()[-1], "the keys on the last line")
        lines = screen.text.splitlines()
        assert len(lines) == size[1]
        assert "TIME" in screen.text
        assert all(len(line) == size[0] for line in lines)


async def test_every_row_of_a_burst_comes_once_and_in_order(process: LedgerProcess, client: LedgerClient) -> None:
    async with events_screen(process) as screen:
        await screen.sees("new version")
        before = ring(screen).live.end
        expected = 0
        for number in range(3):
            expected += run_jobs(client, [f"b{number}-{job}" for job in range(900)])
        await screen.until(lambda: ring(screen).live.end - before >= expected, "all rows", 60)
        live = ring(screen).live
        assert live.end - before == expected == 3 * 900 * 8
        rows = [row for row in live.all() if row.job.startswith("b")]
        assert [row.seq for row in rows] == sorted(row.seq for row in rows)
        assert len({(row.seq, row.job) for row in rows}) == expected
        assert all(row.document == f"file:{row.job}" for row in rows)
        await screen.sees("file:b2-899")


async def test_a_filter_narrows_what_is_kept_and_what_comes(process: LedgerProcess, client: LedgerClient) -> None:
    run_jobs(client, ["one", "two"])
    async with events_screen(process) as screen:
        await screen.sees("file:one", "file:two")
        await screen.press("slash")
        await screen.type("doc:two stage:parse")
        await screen.misses("file:one")
        await screen.press("enter")
        await screen.sees("file:two", "stage parse", "doc two")
        run_jobs(client, ["three", "two-again"])
        await screen.sees("file:two-again")
        assert "file:three" not in screen.text
        await screen.press("escape")
        await screen.sees("file:three", "file:one")


async def test_pause_holds_still_and_follow_catches_up(process: LedgerProcess, client: LedgerClient) -> None:
    run_jobs(client, [f"one{number}" for number in range(10)])
    async with events_screen(process) as screen:
        await screen.sees("file:one9", "✓ done")
        await screen.press("p")
        held = ring(screen).row
        run_jobs(client, ["late"])
        await screen.sees("held, 8 new")
        assert "file:late" not in screen.text
        assert ring(screen).row == held
        await screen.press("f")
        await screen.sees("file:late")
        await screen.press("up", "up")
        assert not ring(screen).follows
        await screen.press("G")
        assert ring(screen).follows


async def test_an_event_is_told_as_a_cloudevent_and_copied(process: LedgerProcess, client: LedgerClient) -> None:
    run_jobs(client, ["one"])
    async with events_screen(process) as screen:
        await screen.sees("file:one", "✓ done")
        await screen.press("up", "enter")
        await screen.sees("stage.completed", '"specversion": "1.0"', '"subject": "file:one"', "1.5 ms")
        await screen.press("y")
        await screen.sees("y copy JSON", '"type": "org.medicalkg.orchestration.stage.completed"')
        await screen.press("y")
        assert json.loads(screen.app.clipboard)["data"]["stage"] == "chunk"
        await screen.press("escape", "escape")
        await screen.misses('"specversion"')
        await screen.press("escape")


async def test_a_failure_is_found_and_its_job_retried(process: LedgerProcess, client: LedgerClient) -> None:
    fail(client, "broken")
    run_jobs(client, [f"good{number}" for number in range(20)])
    async with events_screen(process) as screen:
        await screen.sees("file:good1")
        await screen.press("left_square_bracket", "left_square_bracket", "enter")
        await screen.sees("bad_input: it is empty", "r retries the job")
        await screen.press("r")
        await screen.sees("medkg-lab jobs retry broken")
        await screen.press("r")
        await screen.sees("The job is on the queue again")
        job = client.get("broken")
        assert job is not None
        assert job.state == "queued"


async def test_matches_are_stepped_through_also_when_all_is_shown_again(
    process: LedgerProcess, client: LedgerClient
) -> None:
    run_jobs(client, ["seven", "eight", "nine"])
    async with events_screen(process) as screen:
        await screen.sees("file:nine", "✓ done")
        await screen.press("n")
        assert ring(screen).follows, "without anything to find, n does nothing"
        await screen.press("slash")
        await screen.type("doc:eight")
        await screen.press("enter")
        await screen.misses("file:nine")
        await screen.press("escape")
        await screen.sees("file:nine")
        found = []
        for _ in range(3):
            await screen.press("N")
            row = ring(screen).row
            assert row is not None
            assert row.job == "eight"
            found.append(row.seq)
        assert found == sorted(set(found), reverse=True)
        await screen.press("n")
        row = ring(screen).row
        assert row is not None
        assert row.seq == found[1]
        for _ in range(10):
            await screen.press("n")
        await screen.sees("There is no later match of /doc:eight")


async def test_a_number_older_than_the_rows_is_read_from_the_ledger(
    process: LedgerProcess, client: LedgerClient
) -> None:
    run_jobs(client, ["first"])
    for number in range(80):
        run_jobs(client, [f"j{number}"])
    async with events_screen(process) as screen:
        await screen.sees("file:j79")
        assert not any(row.job == "first" for row in ring(screen).live.all())
        await screen.press("t")
        await screen.sees("Go to a time")
        await screen.type("3")
        await screen.press("enter")
        await screen.sees("file:first")
        assert ring(screen).history is not None
        await screen.press("f")
        await screen.sees("file:j79")
        await screen.press("t")
        await screen.type("nonsense")
        await screen.press("enter")
        await screen.sees("nonsense is not a time")
        await screen.press("t")
        await screen.type("-30m")
        await screen.press("enter")
        await screen.sees("file:first")


async def test_the_events_of_a_job_are_read_whole(process: LedgerProcess, client: LedgerClient) -> None:
    run_jobs(client, ["first"])
    for number in range(80):
        run_jobs(client, [f"j{number}"])
    async with events_screen(process) as screen:
        await screen.sees("file:j79")
        await screen.press("colon")
        await screen.type("events job:first")
        await screen.press("enter")
        await screen.sees("file:first", "○ submitted", "✓ done")
        assert "file:j79" not in screen.text
        await screen.press("escape")
        await screen.sees("file:j79")


async def test_a_ledger_that_dies_is_said_and_nothing_is_lost(process: LedgerProcess, client: LedgerClient) -> None:
    run_jobs(client, ["one"])
    async with events_screen(process) as screen:
        await screen.sees("file:one")
        process.kill()
        await screen.sees("▲ ledger gone", "0 lost", seconds=40)
        process.start()
        run_jobs(client, ["two"])
        await screen.sees("● ledger back", "file:two", seconds=40)
        await screen.until(lambda: len(rows_of(screen, "two")) >= 8, "all rows of the job")
        rows = rows_of(screen, "two")
        assert len(rows) == len({row.seq for row in rows}) == 8


async def test_foreign_text_reaches_no_terminal(process: LedgerProcess, client: LedgerClient) -> None:
    submit(client, "evil", doc_id=HOSTILE)
    batch = claim(client)
    first, second = (replace(each, reason=HOSTILE) for each in failed("ingest", "evil"))
    client.record(batch.batch_id, [at_now(first), second])
    async with events_screen(process) as screen:
        await screen.sees("␛]52;c;")
        await screen.press("left_square_bracket", "enter")
        await screen.sees('"specversion"', "[bold red]loud[/]")
        assert not RAW.search(screen.text)
        await screen.press("y")
        await screen.sees("y copy JSON")
        assert not RAW.search(screen.text)
        await screen.press("y", "escape", "c")
        assert not RAW.search(screen.app.clipboard)


async def test_the_stream_goes_on_behind_another_mode(process: LedgerProcess, client: LedgerClient) -> None:
    async with events_screen(process) as screen:
        await screen.sees("new version")
        await screen.press("1")
        assert not isinstance(screen.app.mode, EventsScreen)
        run_jobs(client, ["unseen"])
        await screen.until(lambda: any(row.job == "unseen" for row in ring(screen).live.all()), "the rows")
        await screen.press("3")
        await screen.sees("file:unseen")
