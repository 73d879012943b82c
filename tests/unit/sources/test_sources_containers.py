"""Containers are taken apart within limits, and every member ends as a document or with a reason."""

import gzip
import io
import json
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.sources.containers import Limits, Member, Refused, members
from medkg_lab.sources.documents import LocalDocument, documents_in

STUDY = json.dumps({"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}}}).encode()
ARTICLE = b'<article><front><article-meta><article-id pub-id-type="pmc">7</article-id></article-meta></front></article>'
SMALL = Limits(members=5, member=1000, total=3000, ratio=10, slack=500)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def tarred(*entries: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for entry, data in entries:
            info = tarfile.TarInfo(entry) if isinstance(entry, str) else entry
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def found(data: bytes, name: str = "x.zip", limits: Limits = SMALL) -> dict[str, str]:
    every = members(data, name, lambda _: True, limits)
    return {one.name: one.reason if isinstance(one, Refused) else f"{len(one.data)} bytes" for one in every}


def test_members_come_in_the_order_of_their_names() -> None:
    assert list(found(zipped({"b": b"1", "A": b"12", "c/": b""}))) == ["A", "b"]
    assert list(found(tarred(("b", b"1"), ("A", b"12")))) == ["A", "b"]
    assert found(gzip.compress(b"hello"), "x.txt.gz") == {"x.txt": "5 bytes"}
    assert found(gzip.compress(tarred(("a", b"1"))), "x.tgz", Limits()) == {"a": "1 bytes"}
    assert found(zipped({"a.xml.gz": gzip.compress(b"12")})) == {"a.xml": "2 bytes"}


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../up", "C:\\up", "..\\up"])
def test_paths_that_lead_out_are_refused(name: str) -> None:
    assert "leads out" in found(zipped({name: b"x", "good": b"y"}))[name]
    assert "leads out" in found(tarred((name, b"x")))[name]


def test_what_is_no_file_is_refused() -> None:
    told = found(
        tarred(
            (entry("soft", tarfile.SYMTYPE, "/etc/passwd"), b""),
            (entry("hard", tarfile.LNKTYPE, "x"), b""),
            (entry("pipe", tarfile.FIFOTYPE), b""),
            (entry("device", tarfile.CHRTYPE), b""),
        )
    )
    assert told == {"soft": "a link", "hard": "a link", "pipe": "not a regular file", "device": "not a regular file"}
    link = zipfile.ZipInfo("soft")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert found(made.getvalue()) == {"soft": "a link"}


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    zeros = bytes(100_000)
    assert "unpacks to" in found(gzip.compress(zeros), "x.gz")[""]
    assert "larger than" in found(zipped({"x": zeros}))["x"]
    assert "unpacks to" in found(zipped({"x": bytes(900)}))["x"]
    assert "unpacks to" in found(zipped({"x.gz": gzip.compress(zeros)}, zipfile.ZIP_STORED))[""]
    assert "larger than" in found(tarred(("x", zeros)))["x"]
    assert "members" in found(zipped({str(n): b"" for n in range(9)}))[""]
    assert "members" in found(tarred(*((str(n), b"") for n in range(9))))[""]
    many = {str(n): bytes(range(250)) * 4 for n in range(5)}
    assert "unpacks to" in found(zipped(many, zipfile.ZIP_STORED))[""]


def test_containers_in_containers_are_refused() -> None:
    inner = zipped({"a": b"1"})
    assert "inside a container" in found(zipped({"x.zip": inner}))["x.zip"]
    assert "inside a container" in found(tarred(("x.tar", tarred(("a", b"1")))), limits=Limits())["x.tar"]
    assert "inside a container" in found(gzip.compress(inner), "x.gz")[""]
    assert "inside a container" in found(gzip.compress(gzip.compress(b"x")), "x.gz")[""]


def test_damage_is_told() -> None:
    whole = zipped({"a": b"0123456789" * 20})
    assert "damaged" in found(whole[:40])[""]
    assert "damaged" in found(gzip.compress(b"hello" * 10)[:-9], "x.gz")[""]
    wrong = bytearray(zipped({"a": b"0123456789"}, zipfile.ZIP_STORED))
    wrong[wrong.index(b"0123")] = 0x7F
    assert "damaged" in found(bytes(wrong))["a"]
    secret = bytearray(zipped({"a": b"0123456789"}))
    secret[6] |= 1
    secret[secret.index(b"PK\x01\x02") + 8] |= 1
    assert found(bytes(secret)) == {"a": "encrypted"}
    assert "office document" in found(zipped({"[Content_Types].xml": b"x", "word/document.xml": b"y"}))[""]


@given(st.binary(max_size=300), st.sampled_from([b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"PK\x05\x06"]))
def test_any_bytes_end_in_words(data: bytes, mark: bytes) -> None:
    assert all(isinstance(one, Member | Refused) for one in members(mark + data, "x", lambda _: True, SMALL))


@given(st.data())
def test_any_damage_to_an_archive_ends_in_words(data: st.DataObject) -> None:
    whole = bytearray(
        data.draw(st.sampled_from([zipped({"a": b"abc" * 9, "b": b"d"}), tarred(("a", b"abc" * 9), ("b", b"d"))]))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert all(isinstance(one, Member | Refused) for one in members(bytes(whole), "x", lambda _: True, SMALL))


def documents(data: bytes, name: str) -> dict[str, str]:
    every = documents_in(data, name, name)
    return {
        (f"{one.source}:{one.key}" if isinstance(one, LocalDocument) else one.name): (
            one.pipeline if isinstance(one, LocalDocument) else one.reason
        )
        for one in every
    }


def test_each_member_is_a_document_of_its_own() -> None:
    files = {"NCT00000001.json": STUDY, "notes/report.pdf": b"%PDF-1.4", "fig.jpg": b"\xff\xd8", "README.txt": b"hello"}
    assert documents(zipped(files), "all.zip") == {
        "clinicaltrials:NCT00000001": "auto",
        "file:all.zip/notes/report.pdf": "pdf-two-phase",
        "all.zip/README.txt": "it says what its folder is",
        "all.zip/fig.jpg": "not a format that the lab reads (.jpg)",
    }
    assert documents(gzip.compress(STUDY), "s.json.gz") == {"clinicaltrials:NCT00000001": "auto"}


def test_a_package_of_an_article_gives_it_once() -> None:
    package = tarred(("PMC7/main.nxml", ARTICLE), ("PMC7/main.PDF", b"%PDF-1.4"), ("PMC7/suppl.pdf", b"%PDF-1.4"))
    assert documents(gzip.compress(package), "PMC7.tar.gz") == {
        "pmc:PMC7": "auto",
        "file:PMC7.tar.gz/PMC7/suppl.pdf": "pdf-two-phase",
        "PMC7.tar.gz/PMC7/main.PDF": "the same article as the .nxml beside it",
    }
