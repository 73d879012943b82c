"""What needs the person when the whole lab is stopped: no room on the disk, and a lab that cannot be looked at."""

import errno
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.lab.facade import Lab
from medkg_lab.tui import alerts
from medkg_lab.tui.messages import Snapshot, SnapshotTaken
from medkg_lab.tui.poller import Poller
from tests import answers
from tests.waiting import wait_until

UP = answers.lab(answers.process("ledgerd"))


def seen(free_mb: float) -> Snapshot:
    """A lab with so much free space."""
    return Snapshot(at=1.0, lab=UP, counts=answers.counts(jobs={"completed": 3}), machine={"disk_free_mb": free_mb})


def words(snapshot: Snapshot) -> str:
    """The now-line."""
    return "".join(text for text, _ in alerts.now(snapshot))


@pytest.mark.parametrize(
    ("free_mb", "need", "stops"), [(60.0, "is full", True), (900.0, "only 900 MB", False), (9000.0, "", False)]
)
def test_a_disk_is_full_before_it_is_empty(free_mb: float, need: str, stops: bool) -> None:
    needs = alerts.attention(seen(free_mb))
    assert [need in one.sentence for one in needs] == ([True] if need else [])
    assert alerts.is_stopped(seen(free_mb)) is stops
    assert ("the disk is full" in words(seen(free_mb))) is stops


class Unreadable(Lab):
    """A lab that the system gives nothing of, until it does."""

    broken = True

    @property
    def supervisor(self) -> Any:
        """Nothing, or no lab."""
        if self.broken:
            raise OSError(errno.EIO, "Input/output error")
        return self._client

    @supervisor.setter
    def supervisor(self, client: Any) -> None:
        self._client = client


def test_looking_goes_on_after_what_cannot_be_looked_at(short_tmp: Path) -> None:
    taken: list[Snapshot] = []
    lab = Unreadable.at(short_tmp)
    assert isinstance(lab, Unreadable)

    def post(message: SnapshotTaken) -> None:
        taken.append(message.snapshot)

    poller = Poller(lab, post)
    poller.start()
    try:
        wait_until(lambda: taken and taken[-1].trouble, 10, "the trouble being told")
        assert alerts.is_stopped(taken[-1])
        lab.broken = False
        wait_until(lambda: not taken[-1].trouble, 10, "the lab being looked at again")
    finally:
        poller.stop()
    assert "Input/output error" in words(taken[0])
