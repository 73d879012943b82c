"""Claims without a language model: what sentences and a registry's arms state, and what takes a sentence's claim back."""

import pytest

from medkg_lab.models.documents import Block, BlockKind, Chunk, ChunkSpan, Document, Edge, Place
from medkg_lab.stages.extract.structured import StructuredExtractor
from medkg_lab.stages.extract.vocabulary import Concept, Vocabulary
from medkg_lab.stages.parse.ctgov import read_study

VOCABULARY = Vocabulary(
    [
        Concept("mesh:D008687", "drug", "Metformin", ("metformin",)),
        Concept("mesh:D001241", "drug", "Aspirin", ("aspirin",)),
        Concept("mesh:D006493", "drug", "Heparin", ("heparin",)),
        Concept("mesh:D003924", "disease", "Diabetes Mellitus, Type 2", ("type 2 diabetes",)),
        Concept("mesh:D013921", "disease", "Thrombocytopenia", ("thrombocytopenia",)),
        Concept("mesh:D020521", "disease", "Stroke", ("stroke",)),
        Concept("mesh:D009765", "disease", "Obesity", ("obesity",)),
    ],
    "test",
)
METFORMIN, ASPIRIN, HEPARIN = "mesh:D008687", "mesh:D001241", "mesh:D006493"
DIABETES, THROMBOCYTOPENIA, STROKE, OBESITY = "mesh:D003924", "mesh:D013921", "mesh:D020521", "mesh:D009765"


def claims(text: str, section: tuple[str, ...] = ("Results",)) -> list[Edge]:
    block = Block(kind=BlockKind.PARAGRAPH, text=text, section=section, place=Place(element="p"))
    document = Document(doc_id="file:a", source="file", title="A title", blocks=(block,))
    span = ChunkSpan(block=0, start=0, end=len(text))
    chunk = Chunk(chunk_id="file:a#0", doc_id="file:a", number=0, text=text, section=section, spans=(span,))
    return [edge for edge in StructuredExtractor(VOCABULARY).extract(document, [chunk]).edges if edge.rule]


@pytest.mark.parametrize(
    ("text", "source", "relation", "target"),
    [
        ("Metformin is widely used to treat type 2 diabetes.", METFORMIN, "TREATS", DIABETES),
        ("Metformin is the first-line treatment for type 2 diabetes.", METFORMIN, "TREATS", DIABETES),
        ("All patients with type 2 diabetes were treated with metformin.", METFORMIN, "TREATS", DIABETES),
        ("We report five cases of heparin-induced thrombocytopenia.", HEPARIN, "CAUSES", THROMBOCYTOPENIA),
        ("Thrombocytopenia caused by heparin is immune-mediated.", HEPARIN, "CAUSES", THROMBOCYTOPENIA),
        ("Treatment with aspirin significantly reduced the risk of stroke.", ASPIRIN, "REDUCES", STROKE),
        ("Aspirin was effective in preventing stroke.", ASPIRIN, "REDUCES", STROKE),
        ("Metformin is an essential strategy to prevent obesity in adults.", METFORMIN, "REDUCES", OBESITY),
        ("Obesity is associated with a higher risk of type 2 diabetes.", OBESITY, "ASSOCIATED_WITH", DIABETES),
        ("Bleeding was rarer with aspirin compared with heparin.", ASPIRIN, "COMPARED_WITH", HEPARIN),
    ],
)
def test_a_sentence_that_states_a_claim(text: str, source: str, relation: str, target: str) -> None:
    (edge,) = claims(f"Nothing else. {text} The end.")
    assert (edge.source, edge.relation, edge.target, edge.evidence) == (source, relation, target, text)
    assert edge.rule.startswith(relation.lower().partition("_")[0])


@pytest.mark.parametrize(
    "text",
    [
        "Metformin may be used to treat type 2 diabetes.",
        "We asked whether aspirin reduced the risk of stroke.",
        "Aspirin did not reduce the risk of stroke.",
        "Aspirin failed to show that aspirin reduces stroke.",
        "There was no association: obesity is not associated with stroke.",
        "If obesity is associated with stroke, we stop.",
        "The aim was to assess patients with type 2 diabetes treated with metformin.",
        "Withdrawal of aspirin reduced stroke.",
        "The bypass of aspirin reduced stroke.",
        "Injection before doses of heparin reduced stroke.",
        "Type 2 diabetes was found. Metformin was given.",
        "Heparin-induced thrombocytopenia antibody assays.",
    ],
)
def test_a_sentence_that_takes_its_claim_back(text: str) -> None:
    assert claims(text) == []


def test_criteria_state_nothing() -> None:
    text = "Patients with type 2 diabetes treated with metformin."
    assert claims(text, ("Eligibility", "Criteria")) == []
    assert claims(text)


def _study(purpose: str = "TREATMENT", allocation: str = "RANDOMIZED") -> Document:
    arms = [
        {
            "label": "A",
            "type": "EXPERIMENTAL",
            "interventionNames": ["Drug: Metformin 500 mg", "Procedure: Blood draw"],
        },
        {"label": "B", "type": "PLACEBO_COMPARATOR", "interventionNames": ["Drug: Placebo", "Procedure: Blood draw"]},
    ]
    names = ("Metformin 500 mg", "Placebo", "Blood draw")
    module = {"armGroups": arms, "interventions": [{"type": "DRUG", "name": name} for name in names]}
    value = {
        "protocolSection": {
            "identificationModule": {"nctId": "NCT00000001", "briefTitle": "A study"},
            "conditionsModule": {"conditions": ["Type 2 Diabetes", "Quality of Life"]},
            "designModule": {"designInfo": {"primaryPurpose": purpose, "allocation": allocation}},
            "armsInterventionsModule": module,
        }
    }
    return read_study(value, "clinicaltrials:NCT00000001", "clinicaltrials")


def registry_claims(document: Document) -> list[tuple[str, str, str, str]]:
    edges = StructuredExtractor(VOCABULARY).extract(document, []).edges
    return [(edge.source, edge.relation, edge.target, edge.rule) for edge in edges if edge.rule]


def test_what_the_arms_of_a_trial_claim() -> None:
    assert registry_claims(_study()) == [
        (METFORMIN, "STUDIED_TO_TREAT", DIABETES, "registry.purpose-treatment"),
        (METFORMIN, "COMPARED_WITH", "term:placebo", "registry.randomised-arms"),
    ]


def test_a_trial_that_neither_treats_nor_randomises_claims_nothing() -> None:
    assert registry_claims(_study("DIAGNOSTIC", "NON_RANDOMIZED")) == []
