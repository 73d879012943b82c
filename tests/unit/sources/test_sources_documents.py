"""Which documents bytes hold, whatever the bytes are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.models.submission import Submission
from medkg_lab.sources.documents import LocalDocument, Refused, bounded_key, documents_in
from medkg_lab.xml_source import parse_xml


def study(nct_id: str = "NCT01234567", **more: object) -> dict[str, object]:
    return {"protocolSection": {"identificationModule": {"nctId": nct_id}}, **more}


def article(*ids: str, body: str = "") -> str:
    return f"<article><front><article-meta>{''.join(ids)}</article-meta></front><body>{body}</body></article>"


PMC = '<article-id pub-id-type="pmc">123</article-id>'
PMCID = '<article-id pub-id-type="pmcid">PMC456</article-id>'
DOI = '<article-id pub-id-type="doi">10.1/AbC</article-id>'


def only(data: bytes, name: str):
    (document,) = documents_in(data, name, f"folder/{name}")
    assert isinstance(document, LocalDocument)
    return document


def test_one_study_keeps_its_bytes():
    data = json.dumps(study(), indent=3).encode()
    found = only(data, "x.json")
    assert (found.source, found.key, found.pipeline, found.data) == ("clinicaltrials", "NCT01234567", "auto", data)


def test_array_and_page_give_the_same_documents():
    items = [study("NCT00000001", b=1, a=2), study("NCT00000002")]
    from_array = list(documents_in(json.dumps(items).encode(), "a.json", "a.json"))
    reordered = [dict(reversed(item.items())) for item in items]
    from_page = list(
        documents_in(json.dumps({"studies": reordered, "nextPageToken": "t"}).encode(), "b.json", "b.json")
    )
    assert [d.key for d in from_array] == ["NCT00000001", "NCT00000002"]
    assert [d.data for d in from_array] == [d.data for d in from_page]


def test_member_that_is_no_study_is_a_document_too():
    found = list(documents_in(json.dumps([study(), {"other": 1}, 7]).encode(), "a.json", "f/a.json"))
    assert [(d.source, d.key) for d in found] == [
        ("clinicaltrials", "NCT01234567"),
        ("file", "f/a.json#2"),
        ("file", "f/a.json#3"),
    ]


@pytest.mark.parametrize(
    ("data", "name", "pipeline"),
    [
        (b'{"FullStudiesResponse": {}}', "old.json", "auto"),
        (b'{"broken": ', "broken.json", "auto"),
        (b"[" * 100_000, "deep.json", "auto"),
        (b'{"studies": []}', "empty.json", "auto"),
        (json.dumps(study("not an id")).encode(), "noid.json", "auto"),
        (b"<clinical_study/>", "legacy.xml", "auto"),
        (b"<article>unclosed", "broken.nxml", "auto"),
        (b"<pmc-articleset/>", "none.xml", "auto"),
        (b"<OA><error code='idIsNotOpenAccess'>no</error></OA>", "oa.xml", "auto"),
        (b"", "empty.pdf", "pdf-two-phase"),
        (b"not a pdf", "text.pdf", "pdf-two-phase"),
        (b"junk\n%PDF-1.4", "scan", "pdf-two-phase"),
    ],
)
def test_what_is_not_recognised_is_one_document_all_the_same(data, name, pipeline):
    found = only(data, name)
    assert (found.source, found.key, found.pipeline, found.data) == ("file", f"folder/{name}", pipeline, data)


@pytest.mark.parametrize(
    ("ids", "key"), [((PMC, DOI), "PMC123"), ((DOI, PMCID), "PMC456"), ((DOI,), "10.1/abc"), ((), "folder/a.nxml")]
)
def test_article_key(ids, key):
    found = only(article(*ids).encode(), "a.nxml")
    assert (found.source, found.key, found.pipeline) == ("pmc" if ids else "file", key, "auto")


def test_references_do_not_lend_their_ids():
    reference = f"<ref-list><ref>{PMC}</ref></ref-list>"
    assert only(article(DOI, body=reference).encode(), "a.nxml").key == "10.1/abc"


def test_article_set_is_split_and_keeps_its_doctype():
    head = '<!DOCTYPE pmc-articleset PUBLIC "-//NLM//DTD ARTICLE SET 2.0//EN" "https://example.org/x.dtd">'
    data = f"{head}<pmc-articleset>{article(PMC, body='&nbsp;1')}<!-- c -->{article(body='2')}<Reply/></pmc-articleset>"
    found = list(documents_in(data.encode(), "set.xml", "set.xml"))
    assert [(d.source, d.key) for d in found] == [("pmc", "PMC123"), ("file", "set.xml#2"), ("file", "set.xml#3")]
    again = parse_xml(found[0].data)
    assert again.tag == "article"
    assert b"&nbsp;" in found[0].data


def test_entities_are_not_expanded():
    bomb = '<!DOCTYPE article [<!ENTITY a "AAAAAAAAAA"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
    data = f"{bomb}<pmc-articleset>{article(PMC, body='&a;&x;')}</pmc-articleset>".encode()
    (found,) = documents_in(data, "bomb.xml", "bomb.xml")
    assert b"AAAA" not in found.data
    assert b"root:" not in found.data


@given(st.binary(max_size=200), st.sampled_from(["a.json", "a.xml", "a.pdf", "a.nxml", "a"]))
def test_any_bytes_give_at_least_one_document(data, name):
    found = list(documents_in(data, name, name))
    assert found
    assert all(isinstance(one, Refused) or one.pipeline in ("auto", "pdf-two-phase") for one in found)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_json_gives_documents_that_can_be_submitted(value):
    for document in documents_in(json.dumps(value).encode(), "a.json", "a.json"):
        assert Submission(source=document.source, key=document.key).doc_id


@given(st.text(min_size=1, max_size=3000))
def test_keys_fit_a_submission_and_stay_distinct(key):
    assert len(bounded_key(key)) <= 1024
    assert bounded_key(key) == key or bounded_key(key) != bounded_key(key + "x")
