"""The lab's own questions: each is answered by both storages alike, and there is SQL for the tables nowhere else."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.ledger.errors import MalformedCommand
from medkg_lab.ledger.named_queries import AUDIT_COLUMNS, GATE_COLUMNS, JOB_COLUMNS, Named, statement
from tests.unit.ledger.test_ledger_walks import Walk
from tests.unit.ledger.worlds import World

ROOT = Path(__file__).parents[3]
JOBS = [f"j{n}" for n in range(16)]
PARAMETERS: dict[Named, Sequence[Any]] = {
    Named.ACKNOWLEDGED_JOBS: [],
    Named.ARCHIVED_BEFORE: [1e12],
    Named.ARTIFACTS: ["j1"],
    Named.ARTIFACTS_KEPT: ["", 0.0],
    Named.AUDIT: [0],
    Named.BATCHES_RUNNING: [],
    Named.COMPLETED_CONTENTS: ["default", "file", ["content:j1", "content:j2"]],
    Named.DECIDED_GATES: [5],
    Named.DOCUMENTS_OF_JOBS: [JOBS[:4]],
    Named.EXECUTIONS_BEGAN: [JOBS],
    Named.GATES_OPENED: [0.0],
    Named.HASHES_KEPT: ["", 0.0],
    Named.INPUTS: ["j1"],
    Named.JOBS_AFTER: ["j1"],
    Named.JOBS_BY_KEY: ["j1", None, 10],
    Named.JOBS_BY_PREFIX: ["j1", 10],
    Named.JOBS_OF_DOCUMENT: ["default", "file:j1"],
    Named.JOBS_TO_DELETE: ["default", "file:j1"],
    Named.JOB_COUNT: ["state:completed -pipeline:gated j"],
    Named.JOB_IDS: ["pipeline:plain", 4],
    Named.JOB_PAGE: ["", "stage", True, 5, 2],
    Named.JOB_TOTALS: [],
    Named.LAST_DOCUMENTS: [None, 5],
    Named.OLDEST_UNFINISHED: [],
    Named.STAGES_DONE: ["gated"],
    Named.STAGE_FLOWS: [0.0],
    Named.STAGE_TIMES: [["parse", "chunk"], 100],
    Named.STANDING_JOBS: [],
    Named.SUBMITTED_CONTENTS: ["default", "file", ["abc"]],
    Named.VERSIONS: ["default", ["file:j1", "file:j2"]],
    Named.WAITING_FOR: ["pdf_ir_ready"],
}
WIDTHS = {Named.AUDIT: len(AUDIT_COLUMNS), Named.JOB_PAGE: len(JOB_COLUMNS), Named.DECIDED_GATES: len(GATE_COLUMNS)}
TABLES = re.compile(r"\bSELECT\b[^;]*?\bFROM (?:job|stage_run|gate|document|artifact|provenance)\b", re.DOTALL)
ALLOWED = (
    "ledger/named_queries.py",
    "ledger/view_questions.py",
    "ledger/views.py",
    "tui/screens/sql/",
    "report/",
    "bench/",
    "knowledge/",
    "metrics/counts.py",  # its table job is its own, of SQLite
)


def walked(folder: Path, in_memory: bool) -> World:
    made = folder / str(in_memory) / "same"
    made.mkdir(parents=True)
    walk = Walk(made, 3, in_memory)
    walk.go(150)
    walk.world.core.project()
    return walk.world


def test_every_question_is_answered_alike(tmp_path: Path) -> None:
    assert PARAMETERS.keys() == set(Named)
    worlds = [walked(tmp_path, in_memory) for in_memory in (False, True)]
    some = 0
    for name, parameters in PARAMETERS.items():
        asked, answers = statement(name, parameters), []
        for world in worlds:
            with world.core.views.questions() as questions:
                answers.append(questions.select(asked.sql, asked.parameters, 100, 10.0))
        rows = [answer.rows for answer in answers]
        assert sorted(map(repr, rows[0])) == sorted(map(repr, rows[1])), name
        assert len(answers[0].columns) == WIDTHS.get(name, len(answers[0].columns))
        some += bool(rows[0])
    assert some > len(Named) / 2
    for world in worlds:
        world.core.close()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("nobody", []), ("job_page", ["", "evil; DROP", False, 1, 0]), ("job_ids", []), ("job_ids", ["", "1; DROP"])],
)
def test_what_is_no_question_is_refused(name: str, parameters: list[Any]) -> None:
    with pytest.raises(MalformedCommand):
        statement(name, parameters)


def test_nobody_else_writes_sql_for_the_tables() -> None:
    found = [
        str(path.relative_to(ROOT / "medkg_lab"))
        for path in (ROOT / "medkg_lab").rglob("*.py")
        if TABLES.search(path.read_text(encoding="utf-8"))
    ]
    assert [path for path in found if not path.startswith(ALLOWED)] == []
