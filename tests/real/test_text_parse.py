"""Every shared document ends in a complete Document or in the right typed error."""

import json
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from medkg_lab.errors import DocumentError
from medkg_lab.models.documents import BlockKind, Document
from tests.real.text_files import files, letters, read

_NOT_TEXT = {"object-id", "tex-math"}


def outcomes(paths: list[Path]) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in paths:
        try:
            document = read(path)
        except DocumentError as error:
            found[type(error).__name__] += 1
        else:
            found["Document"] += 1
            assert Document.model_validate_json(document.model_dump_json()) == document
    return found


def test_every_study_is_parsed(shared_data: Path) -> None:
    assert outcomes(files(shared_data, "ctgov_v2/studies")) == {"Document": 294}
    assert outcomes(files(shared_data, "ctgov_v2/aact_fixtures")) == {"Document": 12, "LegacyRegistryJson": 2}


def test_lists_of_studies_are_left_to_submit(shared_data: Path) -> None:
    assert outcomes(files(shared_data, "ctgov_v2/raw_downloads", "ctgov_v2/api_partial")) == {
        "Document": 1,
        "NotAStudy": 6,
    }


def test_every_article_is_parsed(shared_data: Path) -> None:
    assert outcomes(files(shared_data, "jats")) == {"Document": 135}


def test_what_is_neither_is_named(shared_data: Path) -> None:
    assert outcomes(files(shared_data, "ctgov_xml_legacy")) == {"LegacyRegistryXml": 5}
    assert outcomes(files(shared_data, "jats_wrapped")) == {"Document": 1, "NotAnArticle": 3, "OpenAccessRefusal": 1}
    others = outcomes(files(shared_data, "api_samples", "openfda", "openlineage", "cloudevents", "mesh", "ner", "pdf"))
    # The documents are PubMed records and a PubTator export, each alone in its file; sets of them are for submit to split.
    assert others.pop("Document") == 5
    assert set(others) == {"NotAStudy", "NotAnArticle", "UnknownFormat", "MalformedXml"}


def _texts(body: Any) -> Iterator[str]:
    """The texts under an element, each with the element whose text it is; what stands there twice by design is skipped."""
    for event, element in etree.iterwalk(body, events=("start", "end")):
        if not isinstance(element.tag, str):
            continue
        inside = {etree.QName(e).localname for e in (element, *element.iterancestors()) if isinstance(e.tag, str)}
        if event == "start" and not inside & _NOT_TEXT:
            yield element.text or ""
        elif event == "end" and element is not body:
            yield element.tail or ""


def shares_kept(paths: list[Path]) -> list[float]:
    """For each article, the share of its body's letters and digits that stand in the document."""
    parser = etree.XMLParser(
        load_dtd=False, no_network=True, resolve_entities=False, remove_comments=True, remove_pis=True
    )
    shares = []
    for path in paths:
        found = letters("".join(block.text for block in read(path).blocks))
        body = etree.parse(path, parser).getroot().find("body")
        pieces = [piece for piece in map(letters, _texts(body)) if piece]
        shares.append(sum(len(piece) for piece in pieces if piece in found) / sum(map(len, pieces)))
    return shares


def test_nothing_of_an_articles_body_is_lost(shared_data: Path) -> None:
    shares = shares_kept(files(shared_data, "jats")[::4])
    assert statistics.median(shares) >= 0.98
    assert min(shares) >= 0.95


@pytest.mark.full
def test_nothing_of_any_articles_body_is_lost(shared_data: Path) -> None:
    shares = shares_kept(files(shared_data, "jats"))
    assert statistics.median(shares) >= 0.98
    assert min(shares) >= 0.95


def test_no_element_is_read_twice(shared_data: Path) -> None:
    for path in files(shared_data, "jats"):
        seen = Counter((block.place.element, block.text) for block in read(path).blocks if len(block.text) > 40)
        assert [place for place, times in seen.items() if times > 1] == [], path.name


def _strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, path)
    elif isinstance(value, str):
        yield path, value


def test_the_free_text_of_every_study_is_there(shared_data: Path) -> None:
    """Whatever in a protocol is longer than 100 characters is prose, and prose must not be lost."""
    for path in files(shared_data, "ctgov_v2/studies"):
        study = json.loads(path.read_bytes())
        found = letters("".join(block.text for block in read(path).blocks))
        for where, text in _strings(study["protocolSection"]):
            if len(text) > 100 and "locations_nested" not in where:
                words = [letters(line.replace("\\", "")) for line in text.splitlines()]
                assert [word for word in words if word not in found] == [], (path.name, where)


def test_results_become_tables(shared_data: Path) -> None:
    with_results = [path for path in files(shared_data, "ctgov_v2/studies") if b'"resultsSection"' in path.read_bytes()]
    assert len(with_results) == 11
    for path in with_results:
        study = json.loads(path.read_bytes())
        cells = {cell for block in read(path).blocks if block.table for row in block.table.rows for cell in row}
        for measure in study["resultsSection"].get("outcomeMeasuresModule", {}).get("outcomeMeasures", []):
            for part in measure.get("classes", []):
                for category in part["categories"]:
                    for value in category.get("measurements", []):
                        assert any(cell.startswith(value["value"]) for cell in cells), (path.name, value)


def test_escapes_are_undone(shared_data: Path) -> None:
    for path in files(shared_data, "ctgov_v2/studies"):
        left = [block.text for block in read(path).blocks if "\\<" in block.text or "\\>" in block.text]
        assert left == [], path.name


def test_articles_have_what_articles_have(shared_data: Path) -> None:
    documents = [read(path) for path in files(shared_data, "jats")]
    kinds = Counter(block.kind for document in documents for block in document.blocks)
    assert kinds[BlockKind.REFERENCE] > 6000
    assert kinds[BlockKind.TABLE] > 200
    assert sum(bool(document.identifiers) for document in documents) == 135
    assert sum(any(block.kind is BlockKind.ABSTRACT for block in document.blocks) for document in documents) >= 130
    assert sum("authors" in document.metadata for document in documents) >= 130
