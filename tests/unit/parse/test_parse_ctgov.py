"""Registry studies become documents, whatever is missing."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.errors import DocumentError
from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.stages.parse.ctgov import read_study
from medkg_lab.stages.parse.ctgov_codes import mesh_id
from medkg_lab.stages.parse.errors import EmptyDocument, LegacyRegistryJson, MalformedJson, NotAStudy
from medkg_lab.stages.parse.record import parse_json
from tests.unit.parse.documents import STUDY, study_bytes


def parse_study(data: bytes, doc_id: str, source: str) -> Document:
    """Read one study from the bytes of its file."""
    return read_study(parse_json(data), doc_id, source)


@pytest.fixture(scope="module")
def document() -> Document:
    return parse_study(study_bytes(), "clinicaltrials:NCT90000042", "clinicaltrials")


def texts(document: Document, *section: str) -> list[str]:
    return [block.text for block in document.blocks if block.section == section and block.kind is not BlockKind.HEADING]


def test_title_and_summary_come_first_without_markdown_escapes(document: Document) -> None:
    assert document.title == "Metformin in COPD [pilot]"
    assert document.blocks[0].kind is BlockKind.TITLE
    assert texts(document, "Brief summary") == ["Does metformin help? It may.", "Second paragraph with p < 0.05."]
    assert document.identifiers == {"nct": "NCT90000042", "org_study_id": "ORG-1"}


def test_lists_keep_their_items_and_criteria_open_sections(document: Document) -> None:
    assert texts(document, "Detailed description") == ["Aims:", "first aim, still the first", "second aim"]
    assert texts(document, "Eligibility", "Criteria", "Inclusion Criteria") == ["Age >= 18"]
    assert texts(document, "Eligibility", "Criteria", "Exclusion Criteria") == ["1. Pregnancy", "2. Asthma"]


def test_enumerations_become_words_and_abbreviations_stay(document: Document) -> None:
    assert "Phase: Phase 2, Phase 3" in texts(document, "Design")
    assert "Overall status: Enrolling by invitation" in texts(document, "Status")
    assert "Conditions: COPD, Type 2 Diabetes" in texts(document, "Conditions")
    assert "Acronym: COPDMET" in texts(document, "Identification")


def test_results_are_tables_with_their_values(document: Document) -> None:
    tables = [block.table for block in document.blocks if block.table]
    assert tables[0].rows == (("", "Metformin"), ("Participants analysed", "21"), ("years", "61.5 (8.1)"))
    assert tables[0].header_rows == 1
    assert ("Week 12", "1.9 [1.5, 2.3]") in tables[1].rows
    assert tables[3].rows[1] == ("Pneumonia (Infections)", "1/21")
    captions = [block.text for block in document.blocks if block.kind is BlockKind.CAPTION]
    assert captions[0] == "Age - Mean, Standard deviation, years"
    assert any(block.text.startswith("Statistical analysis of Metformin; Method: t-test") for block in document.blocks)


def test_a_group_is_described_once(document: Document) -> None:
    assert sum(block.text == "Metformin: Those on metformin" for block in document.blocks) == 1


def test_codes_name_their_place_and_mesh_ids_are_those_of_mesh(document: Document) -> None:
    found = {(code.role, code.scheme, code.code, code.term): code.place.element for code in document.codes}
    assert (
        found["condition", "mesh", "D003924", "Diabetes Mellitus, Type 2"]
        == "derivedSection.conditionBrowseModule.meshes[0]"
    )
    assert found["condition", "free", None, "COPD"] == "protocolSection.conditionsModule.conditions[0]"
    assert ("condition", "mesh", None, "No id given") in found
    assert ("outcome", "free", None, "FEV1") in found
    assert ("sponsor", "free", None, "Invented University") in found
    assert ("reference", "pmid", "123", "Someone A. Something. 2020.") in found
    assert not any(code.term == "Diabetes Mellitus" for code in document.codes)


def test_metadata(document: Document) -> None:
    assert document.metadata["phases"] == ["PHASE2", "PHASE3"]
    assert document.metadata["enrollment"] == 42
    assert document.metadata["countries"] == ["Netherlands"]
    assert document.metadata["condition_ancestors"] == ["Diabetes Mellitus"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("D000003924", "D003924"),
        ("D003924", "D003924"),
        ("D000066331", "D066331"),
        ("D000086382", "D000086382"),
        ("C000582435", "C582435"),
        ("C000723100", "C000723100"),
        ("M123", None),
        ("", None),
    ],
)
def test_mesh_ids_are_written_as_mesh_writes_them(written: str, expected: str | None) -> None:
    assert mesh_id(written) == expected


@pytest.mark.parametrize("module", sorted(STUDY["protocolSection"]))
def test_any_module_may_be_missing(module: str) -> None:
    study = copy.deepcopy(STUDY)
    del study["protocolSection"][module]
    assert parse_study(study_bytes(study), "x:1", "x").blocks


def test_a_page_or_array_with_one_study_will_do() -> None:
    assert parse_study(study_bytes({"studies": [STUDY]}), "x:1", "x").title.startswith("Metformin")
    assert parse_study(study_bytes([STUDY]), "x:1", "x").title.startswith("Metformin")


@pytest.mark.parametrize(
    ("data", "error", "part"),
    [
        (study_bytes([STUDY, STUDY]), NotAStudy, "holds 2 studies"),
        (study_bytes({"meta": 1, "results": []}), NotAStudy, "'meta', 'results'"),
        (study_bytes([]), NotAStudy, "list of 0"),
        (b"[1]", NotAStudy, "list of 1"),
        (b'{"protocolSection": {}}', EmptyDocument, "no module with text"),
        (b'{"protocolSection": {"identificationModule": {"briefTitle": "cut', MalformedJson, "line 1, column"),
        (b'{"FullStudiesResponse": {"FullStudies": []}}', LegacyRegistryJson, "NCT..."),
        (
            b'{"FullStudiesResponse":{"FullStudies":[{"Study":{"ProtocolSection":{"IdentificationModule":{"NCTId":"NCT01"}}}}]}}',
            LegacyRegistryJson,
            "NCT01",
        ),
        (b"[" * 3000, MalformedJson, "not valid JSON"),
    ],
)
def test_what_is_no_study_is_named(data: bytes, error: type[DocumentError], part: str) -> None:
    with pytest.raises(error, match=".*" + part.replace(".", r"\.")):
        parse_study(data, "x:1", "x")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _paths(inner, (*path, key))
    return found


PATHS = _paths(STUDY)


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(PATHS), value=VALUES)
def test_a_value_of_another_type_anywhere_ends_in_a_document_or_a_typed_error(
    path: tuple[Any, ...], value: Any
) -> None:
    study = copy.deepcopy(STUDY)
    holder = study
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    try:
        document = parse_study(study_bytes(study), "x:1", "x")
    except DocumentError:
        return
    assert all(block.text for block in document.blocks)
    assert Document.model_validate_json(document.model_dump_json()) == document


def with_results(**sections: Any) -> Document:
    """The study with other modules of its results, and other sections."""
    study = copy.deepcopy(STUDY)
    study["resultsSection"] = {key: value for key, value in sections.items() if key.endswith("Module")}
    study |= {key: value for key, value in sections.items() if key.endswith("Section")}
    return parse_study(study_bytes(study), "nct:NCT90000042", "ctgov")


def test_a_class_says_its_own_denominators_where_they_differ() -> None:
    def counts(value: str) -> list[dict[str, Any]]:
        return [{"units": "Participants", "counts": [{"groupId": "A", "value": value}]}]

    def of_class(title: str, analysed: str, value: str) -> dict[str, Any]:
        measured = [{"measurements": [{"groupId": "A", "value": value}]}]
        return {"title": title, "denoms": counts(analysed), "categories": measured}

    measure = {
        "title": "PFS",
        "groups": [{"id": "A", "title": "Drug"}],
        "denoms": counts("60"),
        "classes": [of_class("High", "33", "12"), of_class("All", "60", "9")],
        "typeUnitsAnalyzed": "Eyes",
        "reportingStatus": "NOT_POSTED",
        "anticipatedPostingDate": "2031-01",
    }
    made = with_results(outcomeMeasuresModule={"outcomeMeasures": [measure]})
    table = next(block.table for block in made.blocks if block.table)
    assert table.rows[1:] == (
        ("Participants analysed", "60"),
        ("High: Participants analysed", "33"),
        ("High", "12"),
        ("All", "9"),
    )
    texts = [block.text for block in made.blocks]
    assert "Units analysed: Eyes" in texts
    assert "Reporting: Not posted" in texts


def test_events_their_vocabulary_and_agreements_are_kept() -> None:
    event = {
        "term": "Pneumonia",
        "sourceVocabulary": "MedDRA 22",
        "assessmentType": "SYSTEMATIC_ASSESSMENT",
        "stats": [{"groupId": "E", "numEvents": 4, "numAffected": 3, "numAtRisk": 60}],
    }
    made = with_results(
        adverseEventsModule={"eventGroups": [{"id": "E", "title": "Drug"}], "seriousEvents": [event]},
        moreInfoModule={"certainAgreement": {"restrictiveAgreement": True, "otherDetails": "60 days"}},
    )
    text = "\n".join(block.text for block in made.blocks)
    assert "Pneumonia | 3/60 (4 events)" in text
    assert "Vocabulary of events: MedDRA 22" in text
    assert "Assessment of events: Systematic assessment" in text
    assert "Agreement restricts publication: Yes" in text
    assert "Other details: 60 days" in text


def test_documents_and_the_registrys_notes_are_listed() -> None:
    document = {
        "label": "Protocol",
        "hasProtocol": True,
        "hasSap": False,
        "date": "2019-01-01",
        "filename": "Prot_000.pdf",
    }
    notes = {
        "unpostedAnnotation": {"unpostedEvents": [{"type": "RESET", "date": "2024-09-16"}]},
        "violationAnnotation": {"violationEvents": [{"type": "VIOLATION_IDENTIFIED", "description": "Late."}]},
    }
    made = with_results(
        documentSection={"largeDocumentModule": {"largeDocs": [document]}},
        annotationSection={"annotationModule": notes},
    )
    texts = [block.text for block in made.blocks]
    assert "Protocol, holds the protocol, 2019-01-01, Prot_000.pdf." in texts
    assert any("2024-09-16" in text for text in texts)
    assert any("Description: Late." in text for text in texts)


def test_dates_say_whether_they_are_actual_and_references_what_they_are_for() -> None:
    study = copy.deepcopy(STUDY)
    study["protocolSection"]["statusModule"]["startDateStruct"] = {"date": "2021-03", "type": "ESTIMATED"}
    made = parse_study(study_bytes(study), "nct:NCT90000042", "ctgov")
    texts = [block.text for block in made.blocks]
    assert "Start date: 2021-03 (estimated)" in texts
    assert "Someone A. Something. 2020. PMID: 123 (background)" in texts
    assert made.metadata["start_date_type"] == "ESTIMATED"
