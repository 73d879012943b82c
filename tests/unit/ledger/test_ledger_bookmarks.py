"""A bookmark is replaced only by who knows it, and lost bookmarks are none."""

from pathlib import Path

import pytest

from medkg_lab.ledger.bookmarks import Bookmarks
from medkg_lab.ledger.errors import BookmarkMoved


def test_only_who_knows_a_bookmark_replaces_it(tmp_path: Path) -> None:
    bookmarks = Bookmarks(tmp_path / "b.json")
    bookmarks.replace("intake", None, {"next": 1})
    bookmarks.replace("intake", {"next": 1}, {"next": 2})
    bookmarks.replace("intake", {"next": 1}, {"next": 2})  # the answer was lost, and it is asked again
    for previous in (None, {"next": 1}):
        with pytest.raises(BookmarkMoved, match="intake"):
            bookmarks.replace("intake", previous, {"next": 3})
    bookmarks.replace("outbox", None, {"seq": 7})
    assert bookmarks.all() == {"intake": {"next": 2}, "outbox": {"seq": 7}}


def test_what_was_not_saved_moves_back(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    bookmarks = Bookmarks(path)
    bookmarks.replace("intake", None, {"next": 1})
    bookmarks.save()
    bookmarks.replace("intake", {"next": 1}, {"next": 2})
    again = Bookmarks(path)
    assert again.all() == {"intake": {"next": 1}}
    with pytest.raises(BookmarkMoved):
        again.replace("intake", {"next": 2}, {"next": 3})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b'{"intake": 5}', b"null"])
def test_a_damaged_file_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.json").write_bytes(content)
    assert Bookmarks(tmp_path / "b.json").all() == {}
