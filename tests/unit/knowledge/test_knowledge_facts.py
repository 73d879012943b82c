"""What documents say of themselves, and the conditions on it."""

from typing import Any

import pytest

from medkg_lab.knowledge.facts import (
    BadValue,
    Fact,
    Facts,
    identifier,
    meets,
    names,
    read_facts,
    read_years,
    unversioned,
)
from medkg_lab.knowledge.works import best


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("PMC9100022", "pmc:pmc9100022"),
        ("PMC 9100022", "pmc:pmc9100022"),
        ("pmc9100022.2", "pmc:pmc9100022"),
        ("PMCID: PMC9100022", "pmc:pmc9100022"),
        ("https://pmc.ncbi.nlm.nih.gov/articles/PMC9100022/", "pmc:pmc9100022"),
        ("18276894", "pmid:18276894"),
        ("PMID: 18276894", "pmid:18276894"),
        ("https://pubmed.ncbi.nlm.nih.gov/18276894/", "pmid:18276894"),
        ("nct99100021", "nct:nct99100021"),
        ("https://clinicaltrials.gov/study/NCT99100021?tab=results", "nct:nct99100021"),
        ("10.9999/Invented.22", "doi:10.9999/invented.22"),
        ("doi:10.9999/invented.22", "doi:10.9999/invented.22"),
        ("https://doi.org/10.9999/invented.22", "doi:10.9999/invented.22"),
        ("heart failure", None),
        ("IL-6", None),
    ],
)
def test_identifiers_as_people_write_them(written: str, canonical: str | None) -> None:
    assert identifier(written) == canonical


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("doi:10.12688/f1000research.4767.2", ("doi:10.12688/f1000research.4767", 2)),
        ("doi:10.1101/2020.01.01.000026v3", ("doi:10.1101/2020.01.01.000026", 3)),
        ("doi:10.21203/rs.3.rs-123/v1", ("doi:10.21203/rs.3.rs-123", 1)),
        ("doi:10.9999/invented.22", ("doi:10.9999/invented.22", 0)),
    ],
)
def test_versions_of_dois(written: str, bare: tuple[str, int]) -> None:
    assert unversioned(written) == bare


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("2020", (2020, 2020)),
        ("2018-2020", (2018, 2020)),
        ("2018..2020", (2018, 2020)),
        ("2018-", (2018, 9999)),
        ("-2020", (0, 2020)),
        (">=2018", (2018, 9999)),
        ("> 2018", (2019, 9999)),
        ("<2000", (0, 1999)),
        ("<=2000", (0, 2000)),
    ],
)
def test_years(text: str, years: tuple[int, int]) -> None:
    assert read_years(text) == years


@pytest.mark.parametrize("text", ["soon", "20", "2020-2018", "-", ""])
def test_what_is_no_year(text: str) -> None:
    with pytest.raises(BadValue):
        read_years(text)


@pytest.mark.parametrize(
    "query", ["zzmueller", "Zzmüller", "Anna Zzmueller", "Zzmueller AB", "Zzmueller A", "A B Zzmueller"]
)
def test_an_authors_name_in_the_ways_of_references(query: str) -> None:
    written = "Anna B Zzmüller" if "ü" in query else "Anna B Zzmueller"
    facts = read_facts("pmc:1", "pmc", "T", {"authors": [written]})
    assert meets(facts, Fact.read("author", query))


@pytest.mark.parametrize("query", ["zzmueller c", "bob zzmueller", "anna anna zzmueller", "zz"])
def test_another_name(query: str) -> None:
    assert not names(("anna", "b", "zzmueller"), query.split())


STUDY: dict[str, Any] = {
    "nct": "NCT99100021",
    "phases": ["PHASE2", "PHASE3"],
    "status": "NOT_YET_RECRUITING",
    "countries": ["United States", "Korea, Republic of"],
    "start_date": "2019-05",
    "has_results": False,
}
ARTICLE: dict[str, Any] = {
    "journal": "Journal of Invented Medicine",
    "year": 2021,
    "doi": "10.9999/invented.22",
    "pmc": "PMC22",
}


@pytest.mark.parametrize(
    ("field", "value", "study", "article"),
    [
        ("phase", "2", True, False),
        ("phase", "Phase III", True, False),
        ("phase", "2/3", True, False),
        ("phase", "1", False, False),
        ("status", "not yet recruiting", True, False),
        ("status", "recruiting", False, False),
        ("country", "USA", True, False),
        ("country", "South Korea", True, False),
        ("country", "france", False, False),
        ("year", "2019", True, False),
        ("year", ">=2020", False, True),
        ("results", "no", True, False),
        ("results", "yes", False, False),
        ("journal", "invented medicine", False, True),
        ("id", "nct99100021", True, False),
        ("id", "https://doi.org/10.9999/INVENTED.22", False, True),
        ("id", "PMC22.3", False, True),
        ("source", "PMC", False, True),
    ],
)
def test_conditions(field: str, value: str, study: bool, article: bool) -> None:
    fact = Fact.read(field, value)
    assert meets(read_facts("clinicaltrials:NCT99100021", "clinicaltrials", "T", STUDY), fact) is study
    assert meets(read_facts("pmc:PMC22", "pmc", "T", ARTICLE), fact) is article


@pytest.mark.parametrize(
    "metadata",
    [
        {
            "authors": "no list",
            "year": "soon",
            "phases": [3],
            "has_results": "yes",
            "related_articles": ["nonsense"],
            "journal": [],
        },
        {"authors": [], "year": True, "start_date": "soon", "doi": "", "version": -1},
        {},
    ],
)
def test_metadata_of_another_form_is_missing(metadata: dict[str, Any]) -> None:
    facts = read_facts("file:a", "file", "T", metadata)
    assert (facts.year, facts.has_results, facts.same_as) == (None, None, frozenset())


def facts(doc_id: str, source: str = "pmc", **metadata: Any) -> Facts:
    return read_facts(doc_id, source, "T", metadata)


def test_which_document_stands_for_its_work() -> None:
    article, preprint = facts("pmc:2"), facts("pmc:1", article_type="preprint")
    assert best([preprint, article]) is article
    first, second = facts("pmc:1", doi="10.12688/f1000research.4.1"), facts("pmc:2", doi="10.12688/f1000research.4.2")
    assert best([first, second]) is second
    assert best([facts("file:a", "file"), article]) is article


@pytest.mark.parametrize(
    ("relation", "field"),
    [
        ("retraction-forward", "retracted_by"),
        ("RetractionIn", "retracted_by"),
        ("retracted-article", "retracts"),
        ("article-version", "same_as"),
        ("preprint", "same_as"),
        ("companion", None),
    ],
)
def test_relations_to_other_documents(relation: str, field: str | None) -> None:
    found = facts("pmc:1", related_articles=[f"{relation} doi:10.9999/other"])
    named = {name for name in ("retracted_by", "retracts", "same_as") if getattr(found, name)}
    assert named == ({field} if field else set())
