"""Every real study and article expands to the documents that it holds."""

from collections import Counter
from pathlib import Path

import pytest

from medkg_lab.sources.files import expand
from medkg_lab.xml_source import parse_xml


def count(path: Path) -> Counter[str]:
    return Counter(document.source for document in expand(path))


def test_studies(shared_data):
    folder = shared_data / "ctgov_v2" / "studies"
    found = list(expand(folder))
    assert {document.source for document in found} == {"clinicaltrials"}
    assert len(found) == len(list(folder.glob("*.json")))
    assert {document.key for document in found} == {path.stem for path in folder.glob("*.json")}


@pytest.mark.parametrize(("name", "studies"), [("dgg32_ctg-studies.json", 5), ("RuhRuh66_api_page.json", 3)])
def test_arrays_and_pages(shared_data, name, studies):
    assert count(shared_data / "ctgov_v2" / "raw_downloads" / name) == {"clinicaltrials": studies}


def test_partial_answers(shared_data):
    found = count(shared_data / "ctgov_v2" / "api_partial")
    assert set(found) == {"clinicaltrials"}
    assert found["clinicaltrials"] >= 5


def test_edited_and_old_records(shared_data):
    found = list(expand(shared_data / "ctgov_v2" / "aact_fixtures"))
    assert len(found) == 14
    old = {document.name for document in found if document.source == "file"}
    assert old == {"NCT00023673.json", "NCT04780763.json"}


def test_legacy_xml_is_kept_to_be_refused(shared_data):
    assert count(shared_data / "ctgov_xml_legacy") == {"file": 5}


def test_articles(shared_data):
    folder = shared_data / "jats"
    found = list(expand(folder))
    assert {document.source for document in found} == {"pmc"}
    assert len(found) == len(list(folder.glob("*.nxml")))
    by_name = {Path(document.name).stem: document.key for document in found}
    named = {stem: key for stem, key in by_name.items() if stem.startswith("PMC") and key.startswith("PMC")}
    assert all(stem == key for stem, key in named.items())
    assert all(document.key.startswith(("PMC", "10.")) for document in found)


def test_wrapped_articles(shared_data):
    found = list(expand(shared_data / "jats_wrapped"))
    by_name: dict[str, list[str]] = {}
    for document in found:
        by_name.setdefault(document.name, []).append(document.source)
    assert by_name == {
        "pmc-articleset_pubget.xml": ["pmc"] * 4,
        # An article without an id of its own: only its content tells which one it is.
        "pmc_wrapped_article.xml": ["file"],
        "pmc3040717-not-open-access.xml": ["file"],
        "pmc3040717-versions.xml": ["file"],
        "pmc9984800-versions.xml": ["file"],
    }
    for document in found:
        if document.name == "pmc-articleset_pubget.xml":
            assert parse_xml(document.data).tag == "article"


def test_whole_folder_loses_nothing(shared_data):
    expansion = expand(shared_data / "pdf")
    documents = list(expansion)
    files = [path for path in (shared_data / "pdf").rglob("*") if path.is_file()]
    assert len(documents) + len(expansion.skipped) == len(files)
    assert {skipped.path.name for skipped in expansion.skipped} == {"OUTCOMES.tsv"}
    assert {(document.source, document.pipeline) for document in documents} == {("file", "pdf-two-phase")}
