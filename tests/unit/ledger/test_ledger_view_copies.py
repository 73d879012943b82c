"""Copies of the views for queries: whole, current, and copied only as far as they changed."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from medkg_lab.ledger.errors import QueryFailed
from medkg_lab.ledger.view_copies import ViewCopies
from tests.unit.ledger.worlds import World


def count(copy: Path) -> int:
    with duckdb.connect(str(copy), read_only=True) as connection:
        row = connection.execute("SELECT count(*) FROM job").fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def copies(world: World, tmp_path: Path) -> ViewCopies:
    return ViewCopies(world.core.views, tmp_path / "copies")


def test_a_copy_shows_what_the_views_show(world: World, copies: ViewCopies) -> None:
    for number in range(5):
        world.submit(f"j{number}")
        world.core.project()
        copy = copies.make()
        assert count(copy) == number + 1
        copies.drop(copy)


def test_a_checkpoint_is_noticed_and_older_copies_stay(world: World, copies: ViewCopies) -> None:
    world.submit("a")
    world.core.project()
    first = copies.make()
    world.core.views.cursor().execute("CHECKPOINT")
    world.submit("b")
    world.core.project()
    second = copies.make()
    world.core.views.cursor().execute("CHECKPOINT")
    third = copies.make()
    assert [count(copy) for copy in (first, second, third)] == [1, 2, 2]


def test_views_that_were_made_again_are_other_ones(world: World, copies: ViewCopies) -> None:
    world.submit("a", "b")
    world.core.project()
    assert count(copies.make()) == 2
    world.core.views.discard()
    assert count(copies.make()) == 0


def test_nothing_is_left_behind(world: World, copies: ViewCopies, tmp_path: Path) -> None:
    copies.drop(copies.make())
    assert (tmp_path / "copies").exists()
    copies.forget()
    assert not (tmp_path / "copies").exists()
    copies.make()
    copies.close()
    assert not (tmp_path / "copies").exists()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EXDEV, errno.EINVAL])
def test_a_file_system_that_cannot_copy_or_link_is_copied_by_hand(
    world: World, copies: ViewCopies, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    monkeypatch.setattr(os, "link", refuse)
    world.submit("a")
    world.core.project()
    assert count(copies.make()) == 1


def test_a_full_disk_is_said(world: World, copies: ViewCopies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medkg_lab.ledger.view_copies.MIN_FREE_BYTES", 1 << 60)
    with pytest.raises(QueryFailed, match="the disk has no room"):
        copies.make()


def test_the_writer_s_lock_on_its_file_is_not_let_go(world: World, copies: ViewCopies) -> None:
    """Closing any handle of a file lets go of all of a process's locks on it."""
    copies.drop(copies.make())
    copies.drop(copies.make())
    code = f"import duckdb; duckdb.connect({str(world.core.views.path)!r})"
    opened = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "Could not set lock" in opened.stderr
