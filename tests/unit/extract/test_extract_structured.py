"""What is extracted, and that everything says where it comes from."""

from pathlib import Path
from typing import Any, Literal

import pytest

from medkg_lab.models.documents import Block, BlockKind, Chunk, ChunkSpan, Code, Document, Extraction, Place
from medkg_lab.stages.contracts import ExtractInput, ExtractStage
from medkg_lab.stages.extract.implementation import STRUCTURED
from medkg_lab.stages.extract.structured import StructuredExtractor
from medkg_lab.stages.extract.vocabulary import bundled
from medkg_lab.stages.registry import Resources
from tests.unit.contexts import stage_context

EXTRACTOR = StructuredExtractor(bundled())


def code(term: str, role: str, scheme: Literal["mesh", "free"] = "free", number: str | None = None) -> Code:
    return Code(scheme=scheme, code=number, term=term, role=role, place=Place(element=f"codes.{role}"))


def document(*codes: Code, nct: str | None = "NCT90000042") -> Document:
    return Document(
        doc_id="clinicaltrials:NCT90000042",
        source="clinicaltrials",
        title="A trial",
        identifiers={"nct": nct} if nct else {},
        blocks=(Block(kind=BlockKind.PARAGRAPH, text="x", place=Place(element="e")),),
        codes=codes,
    )


def chunk(text: str, number: int = 0, *section: str) -> Chunk:
    return Chunk(
        chunk_id=f"clinicaltrials:NCT90000042#{number}",
        doc_id="clinicaltrials:NCT90000042",
        number=number,
        text=text,
        section=section,
        spans=(ChunkSpan(block=0, start=0, end=len(text)),),
    )


def extract(*chunks: Chunk, codes: tuple[Code, ...] = (), **options: Any) -> Extraction:
    return EXTRACTOR.extract(document(*codes, **options), chunks)


def relations(extraction: Extraction) -> list[tuple[str, str]]:
    return [(edge.relation, edge.target) for edge in extraction.edges]


def test_codes_become_statements_of_the_trial() -> None:
    extraction = extract(
        codes=(
            code("Type 2 Diabetes", "condition"),
            code("Rare Syndrome", "condition"),
            code("Diabetes Mellitus, Type 2", "condition", "mesh", "D003924"),
            code("Metformin", "intervention", "mesh", "D008687"),
            code("FEV1", "outcome"),
            code("Placebo", "arm"),
            code("Invented University", "sponsor"),
            code("Someone 2020", "reference"),
        )
    )
    assert extraction.nodes[0].model_dump() == {"node_id": "nct:NCT90000042", "kind": "trial", "name": "A trial"}
    assert relations(extraction) == [
        ("STUDIES", "mesh:D003924"),
        ("STUDIES", "term:rare syndrome"),
        ("TESTS", "mesh:D008687"),
        ("MEASURES", "term:clinicaltrials:nct90000042 outcome fev1"),
        ("HAS_ARM", "term:clinicaltrials:nct90000042 arm placebo"),
        ("SPONSORED_BY", "term:invented university"),
    ]
    assert extraction.edges[0].evidence == "codes.condition: Type 2 Diabetes"
    assert {edge.source for edge in extraction.edges} == {"nct:NCT90000042"}


def test_a_code_leads_to_the_node_that_texts_mention() -> None:
    codes = (code("semaglutide", "intervention", "mesh", "C999999"), code("Unknown", "condition", "mesh", "D999999"))
    extraction = extract(chunk("Semaglutide was given."), codes=codes)
    assert relations(extraction) == [
        ("TESTS", "term:semaglutide"),
        ("STUDIES", "mesh:D999999"),
        ("MENTIONS", "term:semaglutide"),
    ]


def test_keywords_of_an_article_are_mentions_of_the_article() -> None:
    extraction = extract(codes=(code("asthma", "keyword"), code("airflow", "keyword")), nct=None)
    assert extraction.nodes[0].node_id == "doc:clinicaltrials:NCT90000042"
    assert extraction.nodes[0].kind == "article"
    assert relations(extraction) == [("MENTIONS", "mesh:D001249"), ("MENTIONS", "term:airflow")]


def test_mentions_have_chunk_offsets_and_evidence() -> None:
    text = "Background is short. Adults with heart failure took metformin. Others did not."
    extraction = extract(chunk(text, 3))
    mention = extraction.mentions[0]
    assert (mention.chunk_id, mention.text, mention.node_id) == (
        "clinicaltrials:NCT90000042#3",
        "heart failure",
        "mesh:D006333",
    )
    assert text[mention.start : mention.end] == "heart failure"
    edge = extraction.edges[0]
    assert (edge.start, edge.end, edge.chunk_id) == (mention.start, mention.end, mention.chunk_id)
    assert edge.evidence == "Adults with heart failure took metformin."


def test_the_documents_own_terms_are_sought_too() -> None:
    extraction = extract(chunk("Compound XY-12 was given."), codes=(code("Compound XY-12", "intervention"),))
    assert [mention.node_id for mention in extraction.mentions] == ["term:compound xy 12"]


def test_abbreviations_mean_what_the_document_says() -> None:
    extraction = extract(
        chunk("People with chronic kidney disease (CKD) were seen.", 0),
        chunk("CKD was frequent. Mass spectrometry (MS) was used; MS is precise.", 1),
    )
    found = [(mention.text, mention.node_id) for mention in extraction.mentions]
    assert found == [("chronic kidney disease", "mesh:D051436"), ("CKD", "mesh:D051436"), ("CKD", "mesh:D051436")]


def test_negated_and_excluded_mentions_are_told_apart() -> None:
    extraction = extract(
        chunk("There was no evidence of pneumonia. Asthma was common.", 0),
        chunk("Known asthma.", 1, "Eligibility", "Exclusion Criteria"),
    )
    assert relations(extraction) == [
        ("MENTIONS_ABSENCE_OF", "mesh:D011014"),
        ("MENTIONS", "mesh:D001249"),
        ("EXCLUDES", "mesh:D001249"),
    ]


def test_one_edge_per_chunk_and_relation_but_every_mention_counts() -> None:
    extraction = extract(chunk("Asthma and asthma.", 0), chunk("Asthma.", 1))
    assert len(extraction.mentions) == 3
    assert len(extraction.edges) == 2


def test_every_edge_and_mention_has_its_node() -> None:
    extraction = extract(
        chunk("No asthma, but COPD and stroke; COPD is chronic obstructive pulmonary disease."),
        codes=(code("COPD", "condition"), code("COPD", "keyword")),
    )
    ids = {node.node_id for node in extraction.nodes}
    assert len(ids) == len(extraction.nodes)
    assert {edge.target for edge in extraction.edges} | {mention.node_id for mention in extraction.mentions} <= ids


@pytest.mark.parametrize("text", ["", "(((", "(A (B) C)", "\n\n", "İ" * 50, "no " * 500])
def test_odd_text_is_no_problem(text: str) -> None:
    assert extract(chunk(text)).doc_id == "clinicaltrials:NCT90000042"


def test_the_same_input_gives_the_same_output() -> None:
    chunks = [chunk("Heart failure, stroke (CVA), no asthma and COPD.", n) for n in range(3)]
    stage = STRUCTURED.build(Resources(cache=Path("unused")), STRUCTURED.parse_options({}))
    assert isinstance(stage, ExtractStage)
    context, _ = stage_context()
    item = ExtractInput(document(code("COPD", "condition")), tuple(chunks))
    first = stage.execute(context, item)
    assert first.model_dump_json() == StructuredExtractor(bundled()).execute(context, item).model_dump_json()
