"""Each adapter against a server that answers in the shapes of its service."""

import asyncio
import json

import pytest

from medkg_lab.models.submission import Submission
from medkg_lab.sources.catalog import adapters, base_urls
from medkg_lab.sources.errors import (
    BadAnswer,
    BadKey,
    NoOpenCopy,
    NotFound,
    NotOpenAccess,
    QueryNotSupported,
    RateLimited,
    RequestRefused,
    SourceNotConfigured,
    UnknownSource,
)
from tests.http_service import Answer
from tests.integration.sources.support import bench

STUDY = {"protocolSection": {"identificationModule": {"nctId": "NCT00000001"}}}
ARTICLE = (
    '<article><front><article-meta><article-id pub-id-type="pmcid">PMC77</article-id></article-meta></front></article>'
)
OA = '<OA><records><record id="PMC77" license="CC BY"><link format="pdf" href="ftp://ftp.example.org/a/77.pdf"/></record></records></OA>'


@pytest.fixture
def at(tmp_path):
    with bench(tmp_path) as made:
        yield made


@pytest.fixture
def source(at):
    settings = {name: {"base_url": f"{at.service.url}/{name}"} for name in base_urls({})}
    settings["unpaywall"]["email"] = "me@example.org"
    settings["core"]["api_key"] = "s3cret"
    settings["pmc"]["api_key"] = "s3cret"
    return adapters(settings)


def answers(at, path, *bodies, status=200):
    made = [Answer(body if isinstance(body, bytes) else json.dumps(body).encode(), status) for body in bodies]
    at.service.answers[path] = made


def query(source, text="asthma", limit=100):
    return Submission(source=source, query=text, limit=limit, tenant_id="t", priority=3)


def test_study_by_id(at, source):
    answers(at, "/clinicaltrials/studies/NCT00000001", STUDY)
    payload = asyncio.run(source["clinicaltrials"].fetch(at.context, "NCT00000001"))
    assert json.loads(at.store.get(payload.sha256)) == STUDY
    assert (payload.source, payload.key, payload.media_type) == ("clinicaltrials", "NCT00000001", "application/json")


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"NCT number not found", 404, NotFound),
        (b"bad field", 400, RequestRefused),
        (b"slow", 429, RateLimited),
        (b"<html>", 200, BadAnswer),
        (b"[]", 200, BadAnswer),
        (b"{}", 200, BadAnswer),
    ],
)
def test_study_that_cannot_be_had(at, source, body, status, error):
    answers(at, "/clinicaltrials/studies/NCT00000001", body, status=status)
    with pytest.raises(error):
        asyncio.run(source["clinicaltrials"].fetch(at.context, "NCT00000001"))


def test_studies_by_query_page_by_page(at, source):
    def page(asked):
        first = int(asked.query.get("pageToken", "0"))
        ids = range(first, min(first + 2, 5))
        items = [{"protocolSection": {"identificationModule": {"nctId": f"NCT0000000{n}"}}} for n in ids]
        more = {"nextPageToken": str(first + 2)} if first + 2 < 5 else {}
        return Answer(json.dumps({"studies": items} | more).encode())

    at.service.answers["/clinicaltrials/studies"] = page
    found = asyncio.run(source["clinicaltrials"].search(at.context, query("clinicaltrials")))
    assert [s.key for s in found] == [f"NCT0000000{n}" for n in range(5)]
    assert {(s.source, s.query, s.tenant_id, s.priority) for s in found} == {("clinicaltrials", None, "t", 3)}
    assert at.service.asked[0].query["query.term"] == "asthma"
    assert len(asyncio.run(source["clinicaltrials"].search(at.context, query("clinicaltrials", limit=3)))) == 3


def test_page_token_that_repeats_ends_the_search(at, source):
    answers(at, "/clinicaltrials/studies", {"studies": [STUDY], "nextPageToken": "same"})
    assert [s.key for s in asyncio.run(source["clinicaltrials"].search(at.context, query("clinicaltrials")))] == [
        "NCT00000001"
    ]
    assert len(at.service.asked) == 2


def test_article_by_id(at, source):
    answers(at, "/pmc/efetch.fcgi", f"<pmc-articleset>{ARTICLE}</pmc-articleset>".encode())
    payload = asyncio.run(source["pmc"].fetch(at.context, "pmc77"))
    assert b"PMC77" in at.store.get(payload.sha256)
    assert at.service.asked[0].query | {"tool": ""} == {
        "db": "pmc",
        "id": "77",
        "retmode": "xml",
        "api_key": "s3cret",
        "tool": "",
    }
    assert (payload.key, payload.media_type) == ("pmc77", "application/jats+xml")
    assert "s3cret" not in payload.model_dump_json()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ('<pmc-articleset><Reply Id="9" error="The following PMCID is not available: 9"/></pmc-articleset>', NotFound),
        ("<pmc-articleset/>", NotFound),
        ('<OA><error code="idIsNotOpenAccess">identifier is not Open Access</error></OA>', NotOpenAccess),
        ("<errorBean><errCode>0</errCode><errMsg>Article is not open access one</errMsg></errorBean>", NotOpenAccess),
        ("<eFetchResult><ERROR>Unable to obtain query #1</ERROR></eFetchResult>", BadAnswer),
        ("<html><body>down</body></html>", BadAnswer),
        ("not xml", BadAnswer),
        (f"<pmc-articleset>{ARTICLE}{ARTICLE}</pmc-articleset>", BadAnswer),
    ],
)
def test_article_that_cannot_be_had(at, source, body, error):
    answers(at, "/pmc/efetch.fcgi", body.encode())
    with pytest.raises(error):
        asyncio.run(source["pmc"].fetch(at.context, "PMC77"))


def test_articles_by_query(at, source):
    pages = [{"esearchresult": {"count": "3", "idlist": ids}} for ids in (["1", "2"], ["3"], [])]
    answers(at, "/pmc/esearch.fcgi", *pages)
    found = asyncio.run(source["pmc"].search(at.context, query("pmc")))
    assert [s.key for s in found] == ["PMC1", "PMC2", "PMC3"]
    assert [asked.query["retstart"] for asked in at.service.asked] == ["0", "2", "3"]


def test_fulltext_query_uses_the_articles_service(at, source):
    answers(at, "/pmc/esearch.fcgi", {"esearchresult": {"idlist": ["5"]}}, {"esearchresult": {"idlist": []}})
    assert [
        (s.source, s.key) for s in asyncio.run(source["pmc-fulltext"].search(at.context, query("pmc-fulltext")))
    ] == [("pmc-fulltext", "PMC5")]


def test_search_error_inside_http_200(at, source):
    answers(at, "/pmc/esearch.fcgi", {"esearchresult": {"ERROR": "Invalid db name"}})
    with pytest.raises(BadAnswer, match="Invalid db name"):
        asyncio.run(source["pmc"].search(at.context, query("pmc")))


def test_fulltext_address(at, source):
    answers(at, "/pmc-fulltext/oa.fcgi", OA.encode())
    payload = asyncio.run(source["pmc-fulltext"].fetch(at.context, "PMC77"))
    assert payload.metadata == {"pdf_url": "https://ftp.example.org/a/77.pdf", "license": "CC BY"}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("<OA><error code=\"idIsNotOpenAccess\">identifier 'PMC77' is not Open Access</error></OA>", NotOpenAccess),
        ('<OA><error code="idDoesNotExist">no such id</error></OA>', BadAnswer),
        ('<OA><records><record id="PMC77"><link format="tgz" href="x"/></record></records></OA>', NoOpenCopy),
    ],
)
def test_fulltext_that_cannot_be_had(at, source, body, error):
    answers(at, "/pmc-fulltext/oa.fcgi", body.encode())
    with pytest.raises(error):
        asyncio.run(source["pmc-fulltext"].fetch(at.context, "PMC77"))


def test_unpaywall_takes_the_best_location_with_a_pdf(at, source):
    best = {"url_for_pdf": None, "url": "https://landing"}
    other = {
        "url_for_pdf": "https://repo/a.pdf",
        "license": "cc-by",
        "version": "publishedVersion",
        "host_type": "repository",
    }
    answers(
        at,
        "/unpaywall/10.1234/a-b",
        {"doi": "10.1234/a-b", "is_oa": True, "best_oa_location": best, "oa_locations": [best, other]},
    )
    payload = asyncio.run(source["unpaywall"].fetch(at.context, "10.1234/A-b"))
    assert payload.metadata["pdf_url"] == "https://repo/a.pdf"
    assert at.service.asked[0].query == {"email": "me@example.org"}
    assert "me@example.org" not in payload.model_dump_json()


def test_unpaywall_without_an_open_copy(at, source):
    answers(at, "/unpaywall/10.1234/x", {"is_oa": False, "best_oa_location": None, "oa_locations": []})
    with pytest.raises(NoOpenCopy):
        asyncio.run(source["unpaywall"].fetch(at.context, "10.1234/x"))


def test_unpaywall_wants_an_address_and_ids(at):
    plain = adapters({})["unpaywall"]
    with pytest.raises(SourceNotConfigured, match=r"sources\.unpaywall"):
        asyncio.run(plain.fetch(at.context, "10.1234/x"))
    with pytest.raises(QueryNotSupported):
        asyncio.run(plain.search(at.context, query("unpaywall")))


def test_core_work(at, source):
    answers(at, "/core/works/42", {"id": 42, "downloadUrl": "https://core.example/42.pdf", "doi": None, "title": "T"})
    payload = asyncio.run(source["core"].fetch(at.context, "42"))
    assert payload.metadata == {"pdf_url": "https://core.example/42.pdf", "doi": "", "title": "T"}
    assert at.service.asked[0].headers["authorization"] == "Bearer s3cret"
    answers(at, "/core/works/42", {"id": 42, "downloadUrl": None})
    with pytest.raises(NoOpenCopy):
        asyncio.run(source["core"].fetch(at.context, "42"))


def test_core_search_leaves_out_works_without_a_pdf(at, source):
    works = [{"id": n, "downloadUrl": f"https://x/{n}.pdf" if n % 2 else None} for n in range(100)]
    answers(at, "/core/search/works", {"results": works}, {"results": works[:3]})
    found = asyncio.run(source["core"].search(at.context, query("core", limit=1000)))
    assert [s.key for s in found] == [str(n) for n in range(1, 100, 2)]
    assert [asked.query["offset"] for asked in at.service.asked] == ["0", "100"]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("clinicaltrials", "../x"),
        ("pmc", "PMCx"),
        ("pmc-fulltext", "1;2"),
        ("unpaywall", "11.1/x"),
        ("core", "1/2"),
        ("core", "²"),
    ],
)
def test_keys_are_checked_before_anything_is_asked(at, source, name, key):
    with pytest.raises(BadKey):
        asyncio.run(source[name].fetch(at.context, key))
    assert at.service.asked == []


def test_settings_are_checked():
    with pytest.raises(UnknownSource):
        adapters({"elsewhere": {}})
    with pytest.raises(SourceNotConfigured, match="base_url"):
        adapters({"pmc": {"base_url": "ftp://x"}})


@pytest.mark.parametrize(
    ("asked", "record", "expected"),
    [
        ("pmid:18276894", {"pmcid": "PMC2278217", "pmid": 18276894, "doi": "10.1/X"}, ("pmc", "PMC2278217")),
        ("pmid:18276894", {"pmid": "18276894", "status": "error", "errmsg": "not in PMC"}, ("pubmed", "18276894")),
        ("doi:10.1234/AB", {"pmcid": "PMC7", "doi": "10.1234/AB"}, ("pmc", "PMC7")),
        ("doi:10.1234/AB", {"requested-id": "10.1234/AB", "status": "error"}, ("unpaywall", "10.1234/ab")),
    ],
)
def test_an_identifier_becomes_a_request_to_the_source_that_has_most(at, source, asked, record, expected):
    answers(at, "/identifier/articles/", {"status": "ok", "records": [record]})
    (found,) = asyncio.run(source["identifier"].search(at.context, query("identifier", asked)))
    assert (found.source, found.key, found.query, found.tenant_id) == (*expected, None, "t")


def test_a_converter_that_answers_otherwise_is_told(at, source):
    answers(at, "/identifier/articles/", {"status": "ok"})
    with pytest.raises(BadAnswer):
        asyncio.run(source["identifier"].search(at.context, query("identifier", "pmid:1")))
    with pytest.raises(BadKey):
        asyncio.run(source["identifier"].search(at.context, query("identifier", "gout")))


def test_a_pubmed_record_by_id(at, source):
    record = b"<PubmedArticle><MedlineCitation><PMID>7</PMID></MedlineCitation></PubmedArticle>"
    body = b"<PubmedArticleSet>" + record + b"</PubmedArticleSet>"
    answers(at, "/pubmed/efetch.fcgi", body, b"<PubmedArticleSet/>", b"<eFetchResult/>")
    payload = asyncio.run(source["pubmed"].fetch(at.context, "7"))
    assert at.store.get(payload.sha256) == body
    with pytest.raises(NotFound):
        asyncio.run(source["pubmed"].fetch(at.context, "8"))
    with pytest.raises(BadAnswer):
        asyncio.run(source["pubmed"].fetch(at.context, "9"))
    with pytest.raises(BadKey):
        asyncio.run(source["pubmed"].fetch(at.context, "NCT01234567"))
