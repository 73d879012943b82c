"""The bundled demo documents: whole, counted, of one kind of id, and small."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from lxml import etree

DEMO = Path(__file__).resolve().parents[3] / "bundled_pipelines" / "demo"
EXPECTATIONS: dict[str, Any] = json.loads((DEMO / "expectations.json").read_text(encoding="utf-8"))
COUNTS: dict[str, int] = EXPECTATIONS["documents"]
MEBIBYTE = 1 << 20


def studies_in(path: Path) -> list[dict[str, Any]]:
    """The studies of a file: one study, a bare array, or an API page."""
    content = json.loads(path.read_text(encoding="utf-8"))
    studies: list[dict[str, Any]] = content if isinstance(content, list) else content.get("studies", [content])
    return studies


def articles_in(path: Path) -> list[Any]:
    """The articles of a JATS file, read without DTD, entities or network."""
    parser = etree.XMLParser(load_dtd=False, no_network=True, resolve_entities=False)
    return list(etree.parse(path, parser).getroot().iter("article"))


def pmc_id(article: Any) -> str:
    """The PMC id of an article, which stands with or without its prefix."""
    found = article.find("front/article-meta/article-id[@pub-id-type='pmc']")
    if found is None:
        found = article.find("front/article-meta/article-id[@pub-id-type='pmcid']")
    return "PMC" + str(found.text).removeprefix("PMC")


def trial_ids(path: Path) -> list[str]:
    """The document ids of a trial file."""
    return ["clinicaltrials:" + study["protocolSection"]["identificationModule"]["nctId"] for study in studies_in(path)]


def document_ids() -> list[str]:
    """The document ids of all demo documents that are to be accepted."""
    ids = [each for path in sorted((DEMO / "trials").iterdir()) for each in trial_ids(path)]
    ids += ["pmc:" + pmc_id(article) for path in sorted((DEMO / "articles").iterdir()) for article in articles_in(path)]
    return ids + [f"file:{path.name}" for path in sorted((DEMO / "papers").iterdir())]


def test_every_file_is_expected_and_every_expected_file_is_there() -> None:
    folders = ("trials", "articles", "papers", "broken")
    present = {f"{folder}/{path.name}" for folder in folders for path in (DEMO / folder).iterdir()}
    assert present == set(COUNTS) | set(EXPECTATIONS["broken"])


@pytest.mark.parametrize("name", [name for name in COUNTS if name.startswith("trials/")])
def test_trial_files_hold_as_many_studies_as_expected(name: str) -> None:
    studies = studies_in(DEMO / name)
    assert len(studies) == COUNTS[name]
    for study in studies:
        assert study["hasResults"] == ("resultsSection" in study)
        assert study["protocolSection"]["identificationModule"]["nctId"] in name


@pytest.mark.parametrize("name", [name for name in COUNTS if name.startswith("articles/")])
def test_article_files_hold_as_many_articles_as_expected(name: str) -> None:
    articles = articles_in(DEMO / name)
    assert len(articles) == COUNTS[name]
    for article in articles:
        words = " ".join(article.find("body").itertext()).split()
        assert 400 <= len(words) <= 1500
        assert pmc_id(article) in name


@pytest.mark.parametrize("name", [name for name in COUNTS if name.startswith("articles/")])
def test_references_inside_an_article_lead_somewhere(name: str) -> None:
    for article in articles_in(DEMO / name):
        ids = {element.get("id") for element in article.iter() if element.get("id")}
        assert {cross.get("rid") for cross in article.iter("xref")} <= ids


@pytest.mark.parametrize("name", [name for name in COUNTS if name.startswith("papers/")])
def test_papers_are_articles_of_two_to_four_pages(name: str) -> None:
    with pypdfium2.PdfDocument(DEMO / name) as paper:
        assert 2 <= len(paper) <= 4
        text = " ".join(page.get_textpage().get_text_bounded() for page in paper)
    for heading in ("Abstract", "Introduction", "Methods", "Results", "Table 1.", "Discussion", "References"):
        assert heading in text
    assert any(letter in text for letter in "±≥é")


@pytest.mark.parametrize("name", [name for name in COUNTS if name.startswith("papers/")])
def test_only_scanned_pages_have_no_text(name: str) -> None:
    with pypdfium2.PdfDocument(DEMO / name) as paper:
        silent = [number for number, page in enumerate(paper, 1) if page.get_textpage().count_chars() == 0]
        assert silent == EXPECTATIONS["scanned_pages"].get(name, [])
        for number in silent:
            picture = paper[number - 1].render(scale=0.5).to_numpy()
            assert picture.std() > 10, f"page {number} is blank, not a scan"


def test_one_paper_ends_with_a_scanned_page() -> None:
    [(name, pages)] = EXPECTATIONS["scanned_pages"].items()
    with pypdfium2.PdfDocument(DEMO / name) as paper:
        assert pages == [len(paper)]


def test_document_ids_are_unique() -> None:
    counted = Counter(document_ids())
    assert [each for each, times in counted.items() if times > 1] == []
    assert counted.total() == sum(COUNTS.values())


def test_mesh_terms_have_one_id_each() -> None:
    terms: dict[str, set[str]] = {}
    for path in (DEMO / "trials").iterdir():
        for study in studies_in(path):
            for module in study.get("derivedSection", {}).values():
                for mesh in module.get("meshes", []) + module.get("ancestors", []):
                    terms.setdefault(mesh["term"], set()).add(mesh["id"])
    assert len(terms) > 20
    assert {term: ids for term, ids in terms.items() if len(ids) > 1} == {}


def test_damaged_and_locked_papers_cannot_be_opened() -> None:
    for name in ("truncated.pdf", "encrypted.pdf"):
        with pytest.raises(pypdfium2.PdfiumError):
            pypdfium2.PdfDocument(DEMO / "broken" / name)


def test_the_file_that_is_no_study_is_valid_json_without_a_study() -> None:
    content = json.loads((DEMO / "broken" / "not-a-study.json").read_text(encoding="utf-8"))
    assert not {"protocolSection", "studies"} & set(content)


def test_searches_name_documents_that_exist() -> None:
    known = set(document_ids())
    assert len(EXPECTATIONS["searches"]) == 3
    for search in EXPECTATIONS["searches"]:
        assert search["query"]
        assert search["any_of"]
        assert set(search["any_of"]) <= known


def test_mail_addresses_are_reserved_ones() -> None:
    for path in [*(DEMO / "trials").iterdir(), *(DEMO / "articles").iterdir()]:
        for word in path.read_text(encoding="utf-8").replace("<", " ").replace('"', " ").split():
            assert "@" not in word or word.strip(".,;").endswith(".example.org"), word


def test_the_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) < 1.5 * MEBIBYTE
