"""A lab on a full disk: whoever asks for something new gets the reason at once, and with room it goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab.topology import bundled
from tests.disks import NoMount, fill_up, small_disk
from tests.labs import TestLab

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]
DEMO = bundled.folder() / "demo"
AT_ONCE_S = 25
"""Well below the minute that a broker without room is waited for; a busy machine needs some of it to start a command."""


@pytest.fixture
def small_lab(short_tmp: Path) -> Iterator[TestLab]:
    """A lab that runs on a file system of its own."""
    lab = TestLab(short_tmp / "lab", short_tmp / "cache")
    try:
        with small_disk(lab.home):
            lab.ok("up")
            try:
                yield lab
            finally:
                lab.run("down")
    except NoMount:
        pytest.skip("no file system can be mounted here; it needs root")


def test_every_command_that_wants_room_says_at_once_that_there_is_none(small_lab: TestLab, short_tmp: Path) -> None:
    small_lab.run("submit", str(DEMO / "trials"), str(DEMO / "broken"), "--wait")
    jobs = small_lab.ok("jobs", "list", "--state", "failed")
    failed = (jobs if isinstance(jobs, list) else jobs["jobs"])[0]["job_id"]
    own = short_tmp / "auto.yaml"
    own.write_text(small_lab.run("pipeline", "show", "auto").out + "# mine\n")
    fill_up(small_lab.home / "ballast", left=1 << 20)
    for command in (
        ("submit", str(DEMO / "articles")),
        ("submit", "NCT01234567"),
        ("broker", "produce", "ingest.requests.v1", "x"),
        ("jobs", "retry", failed),
        ("pipeline", "apply", "auto", str(own)),
        ("ledger", "snapshot"),
    ):
        done = small_lab.run(*command, timeout=AT_ONCE_S)
        assert done.code == 1, (command, done)
        assert "disk" in done.err or "No space left" in done.err
        assert "Traceback" not in done.err
    (small_lab.home / "ballast").unlink()
    small_lab.ok("submit", str(DEMO / "articles"), "--wait")
