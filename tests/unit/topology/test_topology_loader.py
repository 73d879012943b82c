"""Loading pipelines: every rule with its place and suggestion, shared sequences, all problems at once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.topology.errors import Problem, TopologyInvalid
from medkg_lab.topology.loader import load_topology
from medkg_lab.topology.models import MAX_STAGES

from .samples import CHUNK, GOOD, HEAD, INGEST, PARSE

GATE = "  - {name: gate, type: Gate, condition: {ledger_field: pdf_ir_ready, equals: true}}\n"


def problems(text: str) -> list[Problem]:
    with pytest.raises(TopologyInvalid) as caught:
        load_topology(text, file="f.yaml")
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)
    return list(caught.value.problems)


def assert_refused(error: TopologyInvalid) -> None:
    assert error.problems


def only(text: str) -> Problem:
    (problem,) = problems(text)
    return problem


def stage(text: str) -> str:
    return f"  - {{{text}}}\n"


def test_a_good_file() -> None:
    topology = load_topology(GOOD)
    assert [item.name for item in topology.stages] == ["ingest", "parse", "chunk"]
    assert {item.policy for item in topology.stages} == {"default"}
    assert topology.applicable_sources == ()


CASES = [
    ("unknown-key", 7, GOOD + stage("name: x, type: ChunkStage, depends_on: [chunk], polcy: local"), "'policy'"),
    ("unknown-key", 3, GOOD.replace("stages:", "stage: 1\nstages:"), "'stages'"),
    (
        "unknown-key",
        4,
        GOOD.replace("{name: ingest", "{name: ingest, condition: {ledger_feld: a, ledger_field: a, equals: 1}"),
        "'ledger_field'",
    ),
    ("unknown-name", 4, GOOD.replace("IngestStage", "IngestStge"), "'IngestStage'"),
    ("unknown-policy", 5, GOOD.replace("{name: parse", "{name: parse, policy: polite-app"), "'polite-api'"),
    ("unknown-stage", 6, GOOD.replace("[parse]", "[prase]"), "'parse'"),
    ("duplicate-name", 7, GOOD + CHUNK, "another name"),
    ("duplicate-key", 4, GOOD.replace("{name: ingest", "{name: ingest, name: ingest"), "first in line 4"),
    ("missing-key", 4, GOOD.replace("type: IngestStage", "policy: default"), ""),
    ("pattern", 2, GOOD.replace("name: sample", "name: Sample"), ""),
    ("pattern", 4, GOOD.replace("name: ingest", "name: in__gest"), ""),
    ("schema", 1, GOOD.replace('"1.0"', "1.0"), 'quote it: "1.0"'),
    ("schema", 5, GOOD.replace("depends_on: [ingest]", "depends_on: ingest"), ""),
    ("schema", 6, GOOD.replace("[parse]", "[parse, parse]"), ""),
    ("schema", 4, GOOD.replace("{name: ingest", "{name: ingest, condition: {ledger_field: a, equals: 1.5}"), ""),
    (
        "gate-condition",
        5,
        HEAD + INGEST + stage("name: gate, type: Gate") + stage("name: parse, type: ParseStage, depends_on: [gate]"),
        "condition",
    ),
    (
        "gate-executes",
        5,
        HEAD
        + INGEST
        + GATE.replace("type: Gate", "type: Gate, implementation: a")
        + stage("name: chunk, type: ChunkStage, depends_on: [gate]"),
        "remove",
    ),
    ("gate-first", 4, HEAD + GATE + INGEST, "after the stage"),
    ("gate-last", 5, HEAD + INGEST + GATE, "let a stage depend on it"),
    ("not-a-gate", 5, GOOD.replace("{name: parse", "{name: parse, resume_stage: chunk"), "remove"),
    ("no-ingest", 4, HEAD + stage("name: download, type: DownloadStage"), "IngestStage"),
    ("options", 5, GOOD.replace("{name: parse", "{name: parse, with: {a: 1}"), "implementation"),
    (
        "unknown-implementation",
        5,
        GOOD.replace("{name: parse", "{name: parse, implementation: parse.auo"),
        "'parse.auto'",
    ),
    ("unknown-shared", 7, GOOD + stage("use: post-txt"), "'post-text'"),
]


@pytest.mark.parametrize(
    ("rule", "line", "text", "hint"), CASES, ids=[f"{case[0]}-{place}" for place, case in enumerate(CASES)]
)
def test_rules(rule: str, line: int, text: str, hint: str) -> None:
    found = [problem for problem in problems(text) if problem.rule == rule]
    assert found
    assert found[0].file == "f.yaml"
    assert found[0].line == line
    assert hint in found[0].suggestion


def test_a_missing_shared_sequence_suggests_the_nearest() -> None:
    problem = only(GOOD + stage("use: post-txt"))
    assert problem.rule == "unknown-shared"
    assert problem.suggestion == "did you mean 'post-text'?"


def test_a_cycle_is_printed_whole() -> None:
    text = HEAD + INGEST + PARSE.replace("[ingest]", "[ingest, chunk]") + CHUNK
    problem = only(text)
    assert problem.rule == "cycle"
    assert problem.message.endswith(": parse -> chunk -> parse")


def test_a_stage_that_depends_on_itself() -> None:
    problem = only(GOOD.replace("[parse]", "[chunk]"))
    assert problem.rule == "cycle"
    assert "chunk -> chunk" in problem.message


def test_resume_stage_before_its_gate() -> None:
    text = (
        HEAD + INGEST + GATE.replace("type: Gate", "type: Gate, resume_stage: ingest") + CHUNK.replace("parse", "gate")
    )
    problem = only(text)
    assert (problem.rule, problem.line) == ("resume-before-gate", 5)
    assert problem.suggestion == "known: chunk"


def test_a_stage_that_no_ingest_leads_to() -> None:
    found = problems(GOOD + stage("name: lost, type: DownloadStage"))
    assert {problem.rule for problem in found} == {"unreachable", "missing-input", "ambiguous-input"}
    assert {problem.line for problem in found} >= {7}


def test_inputs_that_nothing_before_makes() -> None:
    problem = only(HEAD + INGEST + CHUNK.replace("parse", "ingest"))
    assert (problem.rule, problem.line) == ("missing-input", 5)
    assert "document" in problem.message
    assert "ParseStage" in problem.suggestion


def test_a_gate_on_pdf_ir_ready_gives_the_document() -> None:
    load_topology(HEAD + INGEST + GATE + CHUNK.replace("parse", "gate"))
    other = GATE.replace("pdf_ir_ready", "pdf_downloaded")
    assert only(HEAD + INGEST + other + CHUNK.replace("parse", "gate")).rule == "missing-input"
    shut = GATE.replace("equals: true", "equals: false")
    assert only(HEAD + INGEST + shut + CHUNK.replace("parse", "gate")).rule == "missing-input"


def test_two_makers_of_one_kind_need_a_fixed_order() -> None:
    second = stage("name: other, type: ParseStage, depends_on: [ingest]")
    found = problems(GOOD + second)
    assert {problem.rule for problem in found} == {"ambiguous-input"}
    load_topology(HEAD + INGEST + PARSE + second.replace("[ingest]", "[parse]") + CHUNK.replace("parse", "other"))


def test_two_gates_need_a_stage_between_them() -> None:
    second = GATE.replace("name: gate", "name: gate_two")
    after = stage("name: chunk, type: ChunkStage, depends_on: [gate_two]")
    assert only(HEAD + INGEST + GATE + second + after).rule == "gate-empty"
    between = stage("name: chunk, type: ChunkStage, depends_on: [gate]")
    load_topology(
        HEAD + INGEST + GATE + between + second + stage("name: embed, type: EmbedStage, depends_on: [gate_two]")
    )


def test_any_stage_may_have_a_condition() -> None:
    topology = load_topology(
        GOOD.replace("{name: chunk", "{name: chunk, condition: {ledger_field: wanted, equals: full}")
    )
    condition = topology.stage("chunk").condition
    assert condition is not None
    assert condition.equals == "full"


def test_all_problems_of_a_file_come_at_once() -> None:
    text = (
        'version: "1.0"\nname: Sample\nstages:\n'
        + INGEST.replace("{name", "{polcy: a, name")
        + PARSE.replace("[ingest]", "[ingest, chunk]")
        + CHUNK.replace("{name", "{policy: nope, name")
        + stage("name: gate, type: Gate, depends_on: [chnk]")
    )
    assert {problem.rule for problem in problems(text)} == {
        "pattern",
        "unknown-key",
        "cycle",
        "unknown-policy",
        "gate-condition",
        "unknown-stage",
    }


def test_implementations_are_checked(published: None) -> None:
    def chosen(text: str) -> str:
        return GOOD.replace("{name: chunk", "{name: chunk, " + text)

    topology = load_topology(chosen("implementation: sample.chunker, with: {size: 3}"))
    assert topology.stage("chunk").with_ == {"size": 3}
    assert only(chosen("implementation: sample.chunkr")).suggestion == "did you mean 'sample.chunker'?"
    problem = only(chosen("implementation: sample.chunker, with: {size: many}"))
    assert (problem.rule, problem.line) == ("options", 6)
    assert only(chosen("implementation: sample.chunker, with: {sze: 3}")).rule == "options"
    assert (
        only(GOOD.replace("{name: parse", "{name: parse, implementation: sample.chunker")).rule
        == "wrong-implementation"
    )


@pytest.mark.parametrize("name", ["sample.absent", "sample.nothing"])
def test_an_implementation_that_does_not_load_is_a_problem(published: None, name: str) -> None:
    problem = only(GOOD.replace("{name: chunk", "{name: chunk, implementation: " + name))
    assert (problem.rule, problem.line) == ("broken-implementation", 6)


def test_shared_sequences(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "rest.yaml").write_text(
        "- {name: parse, type: ParseStage}\n- {name: chunk, type: ChunkStage, depends_on: [parse]}\n"
    )
    main = tmp_path / "sample.yaml"
    main.write_text(HEAD + INGEST + stage("use: rest"))
    assert load_topology(main) == load_topology(GOOD)
    main.write_text(HEAD + INGEST + stage("use: rest, depends_on: [ingest]"))
    assert load_topology(main) == load_topology(GOOD)
    assert load_topology(main.read_text(), shared=[shared]) == load_topology(GOOD)


def test_problems_in_a_shared_sequence_name_its_file(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "rest.yaml").write_text(
        "- {name: parse, type: ParseStage}\n- {name: chunk, type: ChunkStage, depends_on: [prse]}\n"
    )
    main = tmp_path / "sample.yaml"
    main.write_text(HEAD + INGEST + stage("use: rest"))
    with pytest.raises(TopologyInvalid) as caught:
        load_topology(main)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.rule) == (str(shared / "rest.yaml"), 2, "unknown-stage")


@pytest.mark.parametrize("text", ["{a: 1}", "- use: rest", "*x", "", "- 5"])
def test_a_bad_shared_file_is_a_problem(tmp_path: Path, text: str) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "rest.yaml").write_text(text)
    with pytest.raises(TopologyInvalid) as caught:
        load_topology(HEAD + INGEST + stage("use: rest"), shared=[shared])
    assert {problem.file for problem in caught.value.problems} == {str(shared / "rest.yaml")}


@pytest.mark.parametrize(
    "text", ["~", "[]", "5", "a", "stages: 5", "stages: []", "stages: [5]", "stages: [[]]", "stages: [{use: 5}]"]
)
def test_files_of_another_shape(text: str) -> None:
    assert problems(text)


def test_too_many_stages() -> None:
    many = "".join(stage(f"name: s{index}, type: DownloadStage, depends_on: [ingest]") for index in range(MAX_STAGES))
    assert any(problem.rule == "schema" for problem in problems(HEAD + INGEST + many))


def test_sequences_that_add_up_to_too_many_stages(tmp_path: Path) -> None:
    (tmp_path / "rest.yaml").write_text("".join(f"- {{name: s{index}, type: ParseStage}}\n" for index in range(150)))
    text = HEAD + INGEST + stage("use: rest") * 10
    with pytest.raises(TopologyInvalid) as caught:
        load_topology(text, shared=[tmp_path])
    assert "too-many" in {problem.rule for problem in caught.value.problems}


@given(st.lists(st.sampled_from(list(GOOD)) | st.characters(), max_size=5), st.integers(0, len(GOOD)))
def test_any_change_of_a_good_file_loads_or_is_refused(extra: list[str], place: int) -> None:
    text = GOOD[:place] + "".join(extra) + GOOD[place + len(extra) :]
    try:
        topology = load_topology(text)
    except TopologyInvalid as error:
        assert_refused(error)
    else:
        assert topology.stages
