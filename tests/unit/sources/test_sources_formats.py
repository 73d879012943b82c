"""What other services and programs write: tables, lines of JSON, data frames, sets of records, other encodings."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.sources.documents import LocalDocument, documents_in, why_not_read
from medkg_lab.sources.encodings import NotText, as_utf8, decode
from medkg_lab.sources.sniff import HTML, JSON, MARKDOWN, OTHER, PLAIN, XML, Format, media_type_of, sniff
from medkg_lab.sources.studies import ColumnWise, study_key, unwrapped


def named(data: bytes | str, name: str) -> list[str]:
    given = data.encode() if isinstance(data, str) else data
    return [f"{one.source}:{one.key}" for one in documents_in(given, name, name) if isinstance(one, LocalDocument)]


def study(number: int = 1, title: str = "A study") -> dict[str, object]:
    names = {"nctId": f"NCT{number:08d}", "briefTitle": title}
    return {"protocolSection": {"identificationModule": names, "conditionsModule": {"conditions": ["Gout"]}}}


def boxed(value: object) -> object:
    """As a data frame writes it: every plain value in a list of its own."""
    if isinstance(value, dict):
        return {key: boxed(inner) for key, inner in value.items()}
    return value if isinstance(value, list) else [value]


def test_lines_of_json_are_a_document_each() -> None:
    lines = "\n".join([json.dumps(study(1)), "", json.dumps(study(2)), '{"broken'])
    assert named(lines, "a.ndjson") == ["clinicaltrials:NCT00000001", "clinicaltrials:NCT00000002", "file:a.ndjson#4"]
    assert named('{"broken', "a.json") == ["file:a.json"]


def test_lines_of_bioc_are_named_by_their_ids() -> None:
    passages = [{"infons": {"article-id_pmc": "123"}, "text": "Gout."}]
    line = json.dumps({"documents": [{"id": "123", "passages": passages}]})
    assert named(f"{line}\n{line.replace('123', '124')}", "a.jsonl") == ["bioc:PMC123", "bioc:PMC124"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
def test_json_in_two_or_four_bytes_is_named_with_and_without_a_mark(encoding: str) -> None:
    assert named(json.dumps(study(7)).encode(encoding), "a.json") == ["clinicaltrials:NCT00000007"]


def test_data_frames_become_studies_again() -> None:
    whole = {**study(3), "hasResults": False}
    assert unwrapped(boxed(whole)) == whole  # type: ignore[arg-type]
    assert unwrapped(whole) is whole
    assert named(json.dumps(boxed(whole)), "a.json") == ["clinicaltrials:NCT00000003"]
    assert named(json.dumps([boxed(whole), study(4)]), "a.json") == [
        "clinicaltrials:NCT00000003",
        "clinicaltrials:NCT00000004",
    ]
    rows = {"0": study(5), "1": study(6)}
    assert named(json.dumps(rows), "index.json") == ["clinicaltrials:NCT00000005", "clinicaltrials:NCT00000006"]
    columns = {"protocolSection": {number: one["protocolSection"] for number, one in rows.items()}}
    assert named(json.dumps(columns), "columns.json") == ["clinicaltrials:NCT00000005", "clinicaltrials:NCT00000006"]
    several = {"protocolSection": {"identificationModule": {"nctId": ["NCT00000001", "NCT00000002"]}}}
    assert study_key(several) == ""
    with pytest.raises(ColumnWise, match="2 studies"):
        unwrapped(several)


HEADER = "NCT Number,Study Title,Study URL,Study Status,Conditions,Interventions,Sponsor,Phases,Enrollment"


def test_the_registry_s_table_is_a_study_a_row() -> None:
    row = 'NCT00000001,"A ""quoted"", study",https://x,NOT_YET_RECRUITING,Gout|Pain,DRUG: Colchicine|Rest,'
    row += "Hospital,PHASE2|PHASE3,120"
    found = list(documents_in(f"\ufeff{HEADER}\r\n{row}\r\nno id,here,,,,,,,\r\n".encode(), "x.csv", "x.csv"))
    first, second = (one for one in found if isinstance(one, LocalDocument))
    assert (first.source, first.key, first.partial, second.key) == ("clinicaltrials", "NCT00000001", True, "x.csv#2")
    protocol = json.loads(first.data)["protocolSection"]
    assert protocol["identificationModule"]["briefTitle"] == 'A "quoted", study'
    assert protocol["conditionsModule"]["conditions"] == ["Gout", "Pain"]
    assert protocol["armsInterventionsModule"]["interventions"] == [
        {"type": "DRUG", "name": "Colchicine"},
        {"name": "Rest"},
    ]
    assert protocol["designModule"] == {"phases": ["PHASE2", "PHASE3"], "enrollmentInfo": {"count": 120}}
    assert protocol["statusModule"]["overallStatus"] == "NOT_YET_RECRUITING"
    assert why_not_read("x.csv", b"a,b\n1,2\n") == "not the registry's table (.csv)"
    assert why_not_read("x.csv", HEADER.encode()) is None


def test_the_classic_site_s_table_is_read_too() -> None:
    header = "Rank\tNCT Number\tTitle\tStatus\tSponsor/Collaborators\tPhases\tGender"
    row = "1\tNCT00000009\tOld\tActive, not recruiting\tA|B\tPhase 1|Phase 2\tAll"
    (one,) = (each for each in documents_in(f"{header}\n{row}\n".encode(), "x.csv", "x.csv"))
    assert isinstance(one, LocalDocument)
    protocol = json.loads(one.data)["protocolSection"]
    assert protocol["statusModule"]["overallStatus"] == "ACTIVE_NOT_RECRUITING"
    assert protocol["sponsorCollaboratorsModule"] == {"leadSponsor": {"name": "A"}, "collaborators": [{"name": "B"}]}
    assert protocol["designModule"]["phases"] == ["PHASE1", "PHASE2"]


RECORD = "<PubmedArticle><MedlineCitation><PMID>{}</PMID></MedlineCitation></PubmedArticle>"


def test_sets_of_records_are_split() -> None:
    assert named(f"<PubmedArticleSet>{RECORD.format(1)}{RECORD.format(2)}</PubmedArticleSet>", "p.xml") == [
        "pubmed:1",
        "pubmed:2",
    ]
    doi = '<article-id pub-id-type="doi">10.1234/X</article-id>'
    article = f'<article xmlns=""><front><article-meta>{doi}</article-meta></front></article>'
    record = f"<record><metadata>{article}</metadata></record>"
    oai = f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>{record}{record}</ListRecords></OAI-PMH>'
    assert named(oai, "oai.xml") == ["pmc:10.1234/x", "pmc:10.1234/x"]
    assert named('<OAI-PMH><error code="noRecordsMatch"/></OAI-PMH>', "oai.xml") == ["file:oai.xml"]
    passage = "<passage><offset>0</offset><text>x</text></passage>"
    bioc = "<collection><source>PMC</source>{}</collection>"
    one = bioc.format(f"<document><id>34</id>{passage}</document>").encode()
    (alone,) = documents_in(one, "b.xml", "b.xml")
    assert isinstance(alone, LocalDocument)
    assert (alone.source, alone.key, alone.data) == ("bioc", "PMC34", one)
    two = bioc.format(f"<document><id>34</id>{passage}</document><document><id>x</id>{passage}</document>")
    assert named(two, "b.xml") == ["bioc:PMC34", "file:b.xml#2"]
    tei = (
        '<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><idno type="DOI">10.1234/T</idno></teiHeader><text/></TEI>'
    )
    assert named(tei, "g.tei.xml") == ["tei:10.1234/t"]


def test_bioc_in_json_is_split() -> None:
    passage = {"infons": {"article-id_pmc": "77", "article-id_pmid": "8"}, "offset": 0, "text": "x"}
    document = {"id": "1", "passages": [passage]}
    other = {"id": "22663011", "passages": []}
    assert named(json.dumps({"source": "PMC", "documents": [document]}), "b.json") == ["bioc:PMC77"]
    assert named(json.dumps([{"source": "PMC", "documents": [document]}]), "b.json") == ["bioc:PMC77"]
    assert named(json.dumps({"PubTator3": [document, other]}), "b.json") == ["bioc:PMC77", "bioc:22663011"]
    assert named(f"{json.dumps(document)}\n{json.dumps(other)}", "b.json") == ["bioc:PMC77", "bioc:22663011"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
def test_encodings_are_told_from_the_bytes(encoding: str) -> None:
    text = json.dumps(study(1, "Sjögren µg"), ensure_ascii=False)
    data = text.encode(encoding)
    assert decode(data).text == text
    assert named(data, "a.json") == ["clinicaltrials:NCT00000001"]
    assert bool(as_utf8(data)[1]) is (encoding in ("latin-1", "cp1252"))


# A zero is no part of texts, and after the mark of UTF-16 it makes the one of UTF-32.
@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_marked_text_comes_back(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).text == text.removeprefix("\ufeff") or text.startswith("\ufeff")


@given(st.binary(max_size=100))
def test_any_bytes_are_text_or_said_not_to_be(data: bytes) -> None:
    try:
        as_utf8(data)[0].decode()
    except NotText as error:
        assert str(error)


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"# Title\n\ntext", "a.md", MARKDOWN),
        (b"[link](x) text", "a.md", MARKDOWN),
        (b"[1] Smith J. Lancet.", "a.txt", PLAIN),
        (b'{"a": 1}', "a.txt", JSON),
        (b"<article/>", "a.txt", XML),
        (b"<!DOCTYPE html><p>", "a.html", HTML),
        (b'<?xml version="1.0"?><html/>', "a.xhtml", HTML),
        (b"<p>fragment", "a.htm", HTML),
        (b"<html>sign in</html>", "a.pdf", "application/pdf"),
        (b"<html>not found</html>", "a.xml", XML),
        (b"\0\1\2", "a.txt", OTHER),
        (b"plain", "notes", PLAIN),
    ],
)
def test_a_name_counts_where_the_bytes_could_be_any_text(data: bytes, name: str, expected: str) -> None:
    assert media_type_of(data, name) == expected


def test_containers_and_text_are_told_apart() -> None:
    assert sniff(b"\0" * 257 + b"ustar") is Format.TAR
    assert sniff(b"caf\xe9 au lait") is Format.TEXT
