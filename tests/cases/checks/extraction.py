"""Checks of what is extracted: negation, ambiguous terms, eligibility and duplicate nodes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from medkg_lab.models.documents import Document, Extraction
from medkg_lab.repro.redaction_patterns import NOT_SOUGHT
from medkg_lab.repro.secrets import in_value
from medkg_lab.stages.chunk.options import SplitterOptions
from medkg_lab.stages.chunk.splitter import HaystackSplitter
from medkg_lab.stages.chunk.splitters import build_splitter
from medkg_lab.stages.embed.weights import load_tokenizer
from medkg_lab.stages.extract.structured import StructuredExtractor
from medkg_lab.stages.extract.vocabulary import bundled
from medkg_lab.stages.parse.auto import parse
from tests.cases.case import Context, Outcome, case

_ABSENT = "MENTIONS_ABSENCE_OF"


def extracted(path: Path) -> tuple[Document, Extraction, dict[str, tuple[str, ...]]]:
    """A file through parsing, chunking and extraction, as the cpu profile does it, with the sections of its passages."""
    source = "clinicaltrials" if path.suffix == ".json" else "pmc"
    document = parse(path.read_bytes(), f"{source}:{path.stem}", source)
    options = SplitterOptions()
    split = build_splitter(options.split_by, options.split_length, options.split_overlap, options.split_threshold)
    chunks = HaystackSplitter(options, split, load_tokenizer()).chunk(document)
    return (
        document,
        StructuredExtractor(bundled()).extract(document, chunks),
        {one.chunk_id: one.section for one in chunks},
    )


def said(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Relation and words of every statement of a passage, by the section it stands in."""
    _, extraction, sections = extracted(path)
    words = {(one.chunk_id, one.start): one.text.lower() for one in extraction.mentions}
    found: dict[str, list[tuple[str, str]]] = {}
    for edge in extraction.edges:
        if edge.chunk_id and sections[edge.chunk_id]:
            found.setdefault(sections[edge.chunk_id][-1], []).append(
                (edge.relation, words[edge.chunk_id, edge.start or 0])
            )
    return found


def differences(found: dict[str, list[tuple[str, str]]], expected: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    for section, pairs in expected.items():
        if sorted(found.get(section, [])) != sorted(pairs):
            yield f"{section}: {found.get(section)}"


@case("documents/03", "what is denied is absent, what is a relative's is so, all else is mentioned")
def negation(context: Context) -> Outcome:
    there, family = "MENTIONS", "MENTIONS_IN_FAMILY"
    expected = {
        "n1": [(_ABSENT, "chest pain"), (there, "fever")],
        "n3": [(there, "blood transfusion"), (_ABSENT, "diabetes")],
        "n4": [(there, "aspirin"), (there, "bleeding")],
        "n6": [(_ABSENT, "fever"), (_ABSENT, "cough")],
        "n7": [(there, "headache")],
        "n8": [(_ABSENT, one) for one in ("stroke", "diabetes", "asthma", "gout", "psoriasis")],
        "n9": [(_ABSENT, "anemia"), (_ABSENT, "leukopenia"), (_ABSENT, "thrombocytopenia"), (there, "sepsis")],
        "n11": [(_ABSENT, "diabetes"), (there, "nausea")],
        "n12": [(there, "depression"), (there, "anxiety")],
        "n14": [(family, "breast cancer")],
        "n15": [(there, "alzheimer disease")],
        "n16": [(_ABSENT, "heart failure"), (there, "hypotension")],
        "n19": [(_ABSENT, "tuberculosis"), (there, "sarcoidosis")],
    }
    wrong = list(differences(said(context.inputs / "article.nxml"), expected))
    return Outcome(not wrong, "; ".join(wrong) or f"all {len(expected)} sections")


@case("documents/04", "abbreviations mean what the document says, and words of other meaning are no mentions")
def ambiguous(context: Context) -> Outcome:
    found = {section: {word for _, word in pairs} for section, pairs in said(context.inputs / "article.nxml").items()}
    none = {section: found[section] for section in ("a2", "a3", "a4", "a8", "a10") if found.get(section)}
    named = {
        "a5": {"pulmonary embolism"},
        "a7": {"sbma"},
        "a14": {"heart attack", "high blood pressure"},
        "a16": {"rheumatoid arthritis"},
        "a18": {"aspirin", "paracetamol", "5-fu"},
    }
    missing = {
        section: found.get(section) for section, words in named.items() if not words <= found.get(section, set())
    }
    ambiguous = "stroke" in found.get("a13", set()) or "neoplasms" in found.get("a16", set())
    return Outcome(not none and not missing and not ambiguous, f"none expected: {none}; missing: {missing}")


@case("documents/05", "EXCLUDES for what is listed under each heading of exclusion, and for nothing else")
def eligibility(context: Context) -> Outcome:
    wrong = {}
    for path in sorted(context.inputs.glob("*.json")):
        _, extraction, _ = extracted(path)
        names = {node.node_id: node.name for node in extraction.nodes}
        excluded = {names[edge.target] for edge in extraction.edges if edge.relation == "EXCLUDES"}
        if not {"Psoriasis", "Stroke", "Asthma"} <= excluded or "Gout" in excluded:
            wrong[path.stem] = sorted(excluded)
    return Outcome(not wrong, str(wrong) if wrong else "all files")


@case("documents/27", "one node for one name: no dose in a name, no second Gout, Fluorouracil or pembrolizumab")
def duplicates(context: Context) -> Outcome:
    _, extraction, _ = extracted(context.inputs / "arms.json")
    targets = [edge.target for edge in extraction.edges if edge.relation in ("STUDIES", "TESTS")]
    names = [node.name for node in extraction.nodes if node.node_id in targets]
    clean = [re.sub(r"\W+", " ", name).strip().lower() for name in names]
    right = len(clean) == len(set(clean)) and not any(re.search(r"\d ?mg|mk 3475", name) for name in clean)
    return Outcome(right and len(targets) == len(set(targets)), str(sorted(names)))


@case(
    "documents/29",
    "numbers, dates, phones, e-mails and titled names are found; degrees are none; the report says what is not sought",
)
def redaction(context: Context) -> Outcome:
    found = {one.text for one in in_value(json.loads((context.inputs / "phi.json").read_text()))}
    wanted = {
        "Zzjones",
        "00123456",
        "1950-03-02",
        "123-45-6789",
        "Zzsmith",
        "Zzkurt",
        "Zzberg",
        "(030) 99 88 77",
        r"kurt\_zz@example.org",
    }
    told = any("names in running text" in one for one in NOT_SOUGHT)
    return Outcome(wanted <= found and "MD" not in found and told, f"missed {sorted(wanted - found)}, told: {told}")
