"""Walking folders: order, what is left out, and why."""

import os

import pytest

from medkg_lab.sources.errors import FileTooBig, NotAFileAddress, OutsideAllowedRoots, PathNotFound
from medkg_lab.sources.files import expand
from medkg_lab.sources.roots import read_allowed

STUDY = b'{"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}}}'


def write(path, data=STUDY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_folder_is_walked_in_order_with_reasons_for_the_rest(tmp_path):
    write(tmp_path / "b.pdf", b"%PDF-1.4")
    write(tmp_path / "sub" / "a.json")
    write(tmp_path / "sub" / "broken.xml", b"<x")
    write(tmp_path / "README.md", b"# hello")
    write(tmp_path / "data.tsv", b"a\tb")
    write(tmp_path / "x.json.gz", b"\x1f\x8b")
    write(tmp_path / ".hidden.json")
    write(tmp_path / ".git" / "a.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "sub" / "a.json")
    (tmp_path / "linked").symlink_to(tmp_path / "sub")
    os.mkfifo(tmp_path / "pipe.json")
    found = expand(tmp_path)
    assert [(d.source, d.key) for d in found] == [
        ("file", "b.pdf"),
        ("clinicaltrials", "NCT00000001"),
        ("file", "sub/broken.xml"),
    ]
    assert {s.path.name: s.reason for s in found.skipped} == {
        "README.md": "not JSON, XML or PDF (.md)",
        "data.tsv": "not JSON, XML or PDF (.tsv)",
        "x.json.gz": "compressed (.gz): unpack it first",
        "link.json": "symbolic link",
        "linked": "symbolic link",
        "pipe.json": "not a regular file",
    }


def test_iterating_again_gives_the_same(tmp_path):
    write(tmp_path / "a.json")
    write(tmp_path / "n.txt", b"text")
    found = expand(tmp_path)
    assert [d.key for d in found] == [d.key for d in found]
    assert len(found.skipped) == 1


def test_single_file_named_by_a_link_is_read(tmp_path):
    (tmp_path / "link").symlink_to(write(tmp_path / "paper.pdf", b"%PDF-1.4"))
    assert [(d.key, d.name) for d in expand(tmp_path / "link")] == [("paper.pdf", "paper.pdf")]


def test_large_file_is_reported(tmp_path):
    write(tmp_path / "big.pdf", b"%PDF-" + b"x" * 100)
    found = expand(tmp_path, max_bytes=50)
    assert list(found) == []
    assert [s.reason for s in found.skipped] == ["larger than 50 bytes"]


def test_undecodable_name_becomes_printable(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.pdf"
    with open(path, "wb") as file:
        file.write(b"%PDF-1.4")
    (document,) = expand(tmp_path)
    assert document.key == "\ufffd.pdf"


def test_nothing_there(tmp_path):
    with pytest.raises(PathNotFound):
        expand(tmp_path / "none")


def test_allowed_root_is_read(tmp_path):
    path = write(tmp_path / "in" / "a b.json")
    assert read_allowed(path.as_uri(), [tmp_path / "in"], 1000) == (path, STUDY)


@pytest.mark.parametrize("uri", ["file://{}/in/../secret", "file:///etc/passwd", "file://{}/in/link", "file://{}/gone"])
def test_nothing_leads_out_of_the_roots(tmp_path, uri):
    write(tmp_path / "secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(OutsideAllowedRoots):
        read_allowed(uri.format(tmp_path), [tmp_path / "in"], 1000)


@pytest.mark.parametrize(
    "uri", ["file://host/a", "file:relative", "file:///a%00b", "file://{}/none", "file://{}", "file://{}/pipe"]
)
def test_addresses_that_are_no_file(tmp_path, uri):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotAFileAddress):
        read_allowed(uri.format(tmp_path), [tmp_path], 1000)


def test_file_over_the_limit(tmp_path):
    with pytest.raises(FileTooBig):
        read_allowed(write(tmp_path / "a.json").as_uri(), [tmp_path], 10)


def test_no_roots_allow_nothing(tmp_path):
    with pytest.raises(OutsideAllowedRoots):
        read_allowed(write(tmp_path / "a.json").as_uri(), [], 1000)
