"""Answers are read in one place, loudly, and written for people as they came."""

from dataclasses import fields

import orjson
import pytest

from medkg_lab.ledger.answers import AnswerUnreadable, GateRow, JobDetail, read, to_json
from medkg_lab.ledger.tables import GATE
from medkg_lab.models.events import NO_EVIDENCE, Evidence
from tests import answers

GATE_EVIDENCE = {"document": "d", "pages": 3, "missing_pages": [2], "tool": "docvortex"}


def test_what_is_written_for_people_is_what_was_read() -> None:
    written = to_json(answers.job(gate={"evidence": GATE_EVIDENCE}, done=["ingest"], stages=[{"stage": "ingest"}]))
    assert orjson.loads(orjson.dumps(written)) == written, "lists and objects, nothing else"
    assert written["gate"]["evidence"] == GATE_EVIDENCE
    assert written["stages"][0]["status"] == "running"
    assert list(written)[-1] == "stages"
    assert to_json(read(written, JobDetail)) == written


def test_evidence_that_is_not_there_is_an_empty_object() -> None:
    assert answers.gate().evidence == NO_EVIDENCE
    assert to_json(answers.gate())["evidence"] == {}
    assert answers.gate(evidence=GATE_EVIDENCE).evidence == Evidence("d", pages=3, missing_pages=(2,), tool="docvortex")


def test_a_listed_gate_is_a_row_of_the_table() -> None:
    assert [each.name for each in fields(GateRow)] == list(GATE.columns)


@pytest.mark.parametrize("change", [{"state": "asleep"}, {"version": "three"}, {"gate": {"state": "ajar"}}])
def test_an_answer_of_another_shape_is_refused_with_what_is_wrong(change: dict[str, object]) -> None:
    with pytest.raises(AnswerUnreadable, match=r"restart the\s+lab"):
        answers.job(**change)


def test_a_field_that_is_missing_is_named() -> None:
    wire = to_json(answers.job())
    del wire["pipeline_version"]
    with pytest.raises(AnswerUnreadable, match="pipeline_version"):
        read(wire, JobDetail)
