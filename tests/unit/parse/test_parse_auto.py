"""The reader is chosen by the bytes, and every file ends in a document or a typed error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.errors import DocumentError
from medkg_lab.models.submission import Payload
from medkg_lab.sources.sniff import Format, sniff
from medkg_lab.stages.contracts import ParseStage, StageType
from medkg_lab.stages.parse.auto import AutoParser, parse
from medkg_lab.stages.parse.errors import EmptyDocument, TooLarge, UnknownFormat
from medkg_lab.stages.parse.implementation import AUTO
from medkg_lab.stages.parse.record import parse_json
from medkg_lab.stages.parse.text import squeeze, unescape_markdown
from medkg_lab.stages.parse.xml import parse_xml
from medkg_lab.stages.registry import Resources
from tests.unit.contexts import stage_context
from tests.unit.parse.documents import ARTICLE, study_bytes


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Format.EMPTY),
        (b" \n\t", Format.EMPTY),
        (b'\xef\xbb\xbf  {"a": 1}', Format.JSON),
        (b"[1]", Format.JSON),
        (ARTICLE.encode(), Format.XML),
        (ARTICLE.replace('<?xml version="1.0"?>\n', "").encode("utf-16"), Format.XML),
        (b"<!DOCTYPE HTML><html>", Format.HTML),
        (b"junk %PDF-1.7", Format.PDF),
        (b"PK\x03\x04rest", Format.ZIP),
        (b"\x1f\x8b\x08", Format.GZIP),
        (b"PMID- 1", Format.TEXT),
        (b"ab\0cd", Format.BINARY),
    ],
)
def test_formats_are_told_by_their_first_bytes(data: bytes, expected: Format) -> None:
    assert sniff(data) is expected


@pytest.mark.parametrize(
    ("data", "error", "part"),
    [
        (b"", EmptyDocument, "0 bytes"),
        (b"%PDF-1.7", UnknownFormat, "a PDF file"),
        (b"<html></html>", UnknownFormat, "web page"),
        (b"plain", UnknownFormat, "plain text"),
    ],
)
def test_other_formats_are_refused_by_name(data: bytes, error: type[DocumentError], part: str) -> None:
    with pytest.raises(error, match=part):
        parse(data, "x:1", "x")


def test_utf16_and_bom_are_read() -> None:
    article = ARTICLE.replace('<?xml version="1.0"?>\n', "")
    assert parse(article.encode("utf-16"), "x:1", "x").title == "CO2 and the lung"
    assert parse(b"\xef\xbb\xbf" + study_bytes(), "x:1", "x").title.startswith("Metformin")


def test_the_stage_does_not_trust_the_media_type(tmp_path: object) -> None:
    stage = AUTO.build(Resources(cache=tmp_path), AUTO.parse_options({}))  # type: ignore[arg-type]
    assert isinstance(stage, AutoParser)
    assert isinstance(stage, ParseStage)
    assert AUTO.stage_type is StageType.PARSE
    context, store = stage_context(doc_id="pmc:222")
    data = ARTICLE.encode()
    payload = Payload(sha256=store(data), media_type="application/json", size=len(data), source="pmc", key="222")
    document = stage.execute(context, payload)
    assert (document.doc_id, document.source) == ("pmc:222", "pmc")


def test_size_limits() -> None:
    big = b" " * (64 * 1024 * 1024 + 1)
    for read in (parse_json, parse_xml):
        with pytest.raises(TooLarge, match="67108865"):
            read(big)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200) | st.sampled_from([b"{", b"<", b"<a", b"[", b'{"protocolSection"']))
def test_any_bytes_end_in_a_typed_error(data: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(data, "x:1", "x")
    assert str(caught.value)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(ARTICLE) - 20))
def test_a_truncated_article_is_malformed_or_empty(cut: int) -> None:
    with pytest.raises(DocumentError):
        parse(ARTICLE.encode()[:cut], "x:1", "x")


@given(text=st.text())
def test_squeezing_is_final(text: str) -> None:
    assert squeeze(squeeze(text)) == squeeze(text)


def test_only_escapes_of_punctuation_are_undone() -> None:
    assert unescape_markdown(r"p \< 0.05 \[a\] C:\new \\") == "p < 0.05 [a] C:\\new \\"
