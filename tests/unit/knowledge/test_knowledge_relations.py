"""Documents belong together by their identifiers and by what they name, whichever of them names it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.knowledge.database import Database
from medkg_lab.knowledge.relations import Relations, Work, links


def work(doc_id: str, **metadata: Any) -> Work:
    return Work.of(doc_id, doc_id, metadata)


def stated(*works: Work) -> list[tuple[str, str, str]]:
    return [(link.source.doc_id, link.relation, link.target.doc_id) for link in links(works)]


ARTICLE = {"doi": "10.9999/Invented.8", "pmc": "PMC8"}


@pytest.mark.parametrize(
    ("article", "notice"),
    [
        ({"related_articles": ["retraction-forward 10.9999/retr.8"]}, {}),
        ({}, {"related_articles": ["retracted-article 10.9999/invented.8"]}),
        (
            {"related_articles": ["RetractionIn doi:10.9999/retr.8"]},
            {"related_articles": ["retracted-article doi:10.9999/invented.8"]},
        ),
    ],
)  # fmt: skip
def test_a_retraction_is_stated_once_whoever_names_it(article: dict[str, Any], notice: dict[str, Any]) -> None:
    one, other = work("pmc:PMC8", **ARTICLE, **article), work("pmc:PMC9", doi="10.9999/retr.8", **notice)
    assert stated(one, other) == stated(other, one) == [("pmc:PMC9", "RETRACTS", "pmc:PMC8")]


def test_a_preprint_points_to_its_article() -> None:
    preprint = work(
        "pmc:PMC26", doi="10.1101/x", article_type="preprint", related_articles=["article-version 10.9999/a"]
    )
    article = work("pmc:PMC27", doi="10.9999/a")
    assert stated(preprint, article) == [("pmc:PMC26", "PREPRINT_OF", "pmc:PMC27")]
    named = work("pmc:PMC27", doi="10.9999/a", related_articles=["preprint 10.1101/x"])
    assert stated(work("pmc:PMC26", doi="10.1101/x"), named) == [("pmc:PMC26", "PREPRINT_OF", "pmc:PMC27")]


def test_an_identifier_in_common_is_the_same_work() -> None:
    assert stated(work("pubmed:7", pmid="7", doi="10.1234/x"), work("pmc:PMC8", doi="10.1234/X"), work("other:1")) == [
        ("pmc:PMC8", "SAME_WORK_AS", "pubmed:7")
    ]
    # A trial's number in an article's metadata would not make them one; two records of a trial are one document anyway.
    assert stated(work("a:1", nct="NCT00000001"), work("b:1", nct="NCT00000001")) == []


def test_a_citation_is_stated_once_by_whichever_identifier_it_is_found() -> None:
    cited = work("pmc:PMC8", **ARTICLE, pmid="12345678")
    citing = work("pmc:PMC9", pmc="PMC9", cites=["doi:10.9999/invented.8", "pmid:12345678", "pmc:PMC9", "pmid:1"])
    assert stated(cited, citing) == stated(citing, cited) == [("pmc:PMC9", "CITES", "pmc:PMC8")]


IDS = st.sampled_from(["10.1234/a", "10.1234/b", "10.1234/c"])
KINDS = st.sampled_from(
    ["retraction-forward", "retracted-article", "preprint", "article-version", "companion", "ErratumIn"]
)


@given(st.lists(st.tuples(IDS, st.lists(st.tuples(KINDS, IDS), max_size=3)), max_size=5))
def test_no_document_is_related_to_itself_or_twice(given: list[tuple[str, list[tuple[str, str]]]]) -> None:
    works = [
        work(f"x:{number}", doi=doi, related_articles=[f"{kind} {other}" for kind, other in named])
        for number, (doi, named) in enumerate(given)
    ]
    found = stated(*works)
    assert len(found) == len(set(found))
    assert all(source != target for source, _, target in found)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "knowledge.duckdb")
    yield made
    made.close()


def publish(database: Database, number: int, doc_id: str, tenant: str = "default", **metadata: Any) -> None:
    with database.transaction():
        database.insert("generation", [(number, f"job-{number}", doc_id, tenant, "published", None, None, 1, 1)])
        database.insert(
            "document", [(number, doc_id, tenant, "pmc", f"Title of {doc_id}", orjson.dumps(metadata).decode())]
        )


def test_documents_are_found_by_any_of_their_identifiers(database: Database) -> None:
    publish(database, 1, "pmc:PMC8", **ARTICLE, pmid="123")
    publish(database, 2, "pmc:PMC80", pmc="PMC80", related_articles=["retracted-article 10.9999/invented.8"])
    publish(database, 3, "pmc:PMC8", tenant="other", **ARTICLE)
    relations = Relations(database)
    for written in ("PMC 8", "https://doi.org/10.9999/INVENTED.8", "pmid:123", "123"):
        (found,) = relations.identified(written, "default")
        assert (found.doc_id, found.node_id, found.pmc) == ("pmc:PMC8", "doc:pmc:PMC8", "PMC8")
    assert relations.identified("PMC9", "default") == []
    assert relations.identified("gout", "default") == []
    (near,) = relations.neighbours("doc:pmc:PMC8", "default")
    assert (near.relation, near.direction, near.node_id) == ("RETRACTS", "in", "doc:pmc:PMC80")
    assert relations.neighbours("mesh:D1", "default") == []
    assert [(one.source, one.relation) for one in relations.edges("default")] == [("doc:pmc:PMC80", "RETRACTS")]


def test_citations_are_seen_from_both_ends_within_a_tenant(database: Database) -> None:
    publish(database, 1, "pmc:PMC8", doi="10.9999/Invented.8", pmid="12345678")
    publish(database, 2, "clinicaltrials:NCT90000042", nct="NCT90000042", cites=["pmid:12345678", "doi:10.9999/nobody"])
    publish(database, 3, "pubmed:5", pmid="5", cites=["doi:10.9999/invented.8"])
    publish(database, 4, "pubmed:6", tenant="other", pmid="6", cites=["doi:10.9999/invented.8"])
    relations = Relations(database)
    (out,) = relations.neighbours("nct:NCT90000042", "default")
    assert (out.relation, out.direction, out.node_id) == ("CITES", "out", "doc:pmc:PMC8")
    incoming = {
        (one.relation, one.direction, one.node_id, one.kind) for one in relations.neighbours("doc:pmc:PMC8", "default")
    }
    assert incoming == {
        ("CITES", "in", "nct:NCT90000042", "trial"),
        ("CITES", "in", "doc:pubmed:5", "article"),
    }
    exported = {(one.source, one.relation, one.target) for one in relations.edges("default")}
    assert exported == {(source, "CITES", "doc:pmc:PMC8") for source in ("nct:NCT90000042", "doc:pubmed:5")}
