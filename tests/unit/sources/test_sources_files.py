"""Walking folders: order, what is skipped, and why."""

import contextlib
import itertools
import os
import threading

import pytest

from medkg_lab import linux
from medkg_lab.sources.allowed_roots import read_allowed
from medkg_lab.sources.errors import FileTooBig, NotAFileAddress, OutsideAllowedRoots, PathNotFound
from medkg_lab.sources.files import expand

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
    write(tmp_path / "x.json.bz2", b"BZh")
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
        "README.md": "it says what its folder is",
        "data.tsv": "not a format that the lab reads (.tsv)",
        "x.json.bz2": "compressed (.bz2): unpack it first",
        "link.json": "symbolic link",
        "linked": "symbolic link",
        "pipe.json": "not a regular file",
    }


def test_iterating_again_gives_the_same(tmp_path):
    write(tmp_path / "a.json")
    write(tmp_path / "n.log", b"text")
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


@pytest.fixture(params=["openat2", "without openat2"])
def kernel(request, monkeypatch):
    """Both ways to open a file below a folder: the call of Linux 5.6, and what stands in for it."""
    if request.param != "openat2":
        monkeypatch.setattr(linux, "_openat2", lambda *_: linux._walk(*_))


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize(
    "uri",
    [
        "file://{}/in/../secret",
        "file:///etc/passwd",
        "file://{}/in/link",
        "file://{}/gone",
        "file://{}/in/up/secret",
        "file://{}/in/%2e%2e/secret",
        "file://{}/in/./..//secret",
    ],
)
def test_nothing_leads_out_of_the_roots(tmp_path, uri):
    write(tmp_path / "secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "in" / "up").symlink_to(tmp_path)
    with pytest.raises(OutsideAllowedRoots):
        read_allowed(uri.format(tmp_path), [tmp_path / "in"], 1000)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize(
    "uri",
    [
        "file://host/a",
        "file://[",
        "file://{}/" + "a" * 300,
        "file://{}/plain/x",
        "file:relative",
        "file:///a%00b",
        "file://{}/none",
        "file://{}",
        "file://{}/pipe",
    ],
)
def test_addresses_that_are_no_file(tmp_path, uri):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "plain").write_bytes(b"x")
    with pytest.raises(NotAFileAddress):
        read_allowed(uri.format(tmp_path), [tmp_path], 1000)


def test_file_over_the_limit(tmp_path):
    with pytest.raises(FileTooBig):
        read_allowed(write(tmp_path / "a.json").as_uri(), [tmp_path], 10)


def test_no_roots_allow_nothing(tmp_path):
    with pytest.raises(OutsideAllowedRoots):
        read_allowed(write(tmp_path / "a.json").as_uri(), [], 1000)


def test_a_root_may_be_named_by_a_link_or_by_its_real_path(tmp_path):
    path = write(tmp_path / "real" / "a.json")
    (tmp_path / "named").symlink_to(tmp_path / "real")
    for uri in (path.as_uri(), (tmp_path / "named" / "a.json").as_uri()):
        assert read_allowed(uri, [tmp_path / "named"], 1000)[1] == STUDY


def test_nothing_stays_open(tmp_path):
    """A folder, a FIFO and a file that is too large, named repeatedly, must not use up the descriptors."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    write(tmp_path / "large")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("pipe", "folder", "large"):
        for _ in range(20):
            with pytest.raises((NotAFileAddress, FileTooBig)):
                read_allowed(f"file://{tmp_path}/{name}", [tmp_path], 10)
    assert len(os.listdir("/proc/self/fd")) == before


@contextlib.contextmanager
def swapped(folder, link):
    """`folder` and `link` trade their names all the time."""
    ended, other = threading.Event(), folder.with_name("other")

    def swap():
        while not ended.is_set():
            for source, target in ((folder, other), (link, folder), (folder, link), (other, folder)):
                os.rename(source, target)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


TRIES = 5000


@pytest.mark.usefixtures("kernel")
def test_a_folder_that_is_swapped_for_a_link_never_leads_out(tmp_path):
    write(tmp_path / "outside" / "a.json", b"secret")
    inside = write(tmp_path / "in" / "folder" / "a.json", b"harmless").parent
    link = tmp_path / "in" / "link"
    link.symlink_to(tmp_path / "outside")
    seen = []
    with swapped(inside, link):
        for _ in range(TRIES):
            with contextlib.suppress(OutsideAllowedRoots, NotAFileAddress):
                seen.append(read_allowed(f"file://{inside}/a.json", [tmp_path / "in"], 100)[1])
    assert set(seen) == {b"harmless"}


@pytest.mark.usefixtures("kernel")
def test_a_submitted_folder_that_is_swapped_for_a_link_never_leads_out(tmp_path):
    write(tmp_path / "outside" / "a.json", b"secret")
    inside = write(tmp_path / "in" / "folder" / "a.json").parent
    link = tmp_path / "in" / "link"
    link.symlink_to(tmp_path / "outside")
    with swapped(inside, link):
        found = set(itertools.chain.from_iterable((d.data for d in expand(tmp_path / "in")) for _ in range(TRIES // 5)))
    assert found <= {STUDY}
