"""What commands say while they wait and what they take: a live line, fields with values, jobs by the beginning of their id."""

import time
from pathlib import Path
from typing import Any

import pytest

from medkg_lab import exit_codes
from medkg_lab.cli.commands.gate import FieldUnclear, fields_of, parse_field
from medkg_lab.cli.commands.lab import starting_words
from medkg_lab.cli.commands.submit import print_outcome, progress_words
from medkg_lab.cli.main import build_parser, main
from medkg_lab.cli.output import clock, print_fields
from medkg_lab.lab.lookup import NoSuchJob, SeveralDocuments, SeveralJobs, find_job
from medkg_lab.lab.wait import Progress
from medkg_lab.ledger.answers import JobDetail, Selected
from medkg_lab.ledger.named_queries import Named
from tests import answers

JOBS = {
    "765ff20e-aaaa": ("clinicaltrials:NCT90000001", "NCT90000001"),
    "765ff20e-bbbb": ("pmc:PMC9000001", "PMC9000001"),
    "12345678-cccc": ("pmc:PMC9000002", "PMC9000002"),
}


class Ledger:
    """A ledger of three jobs that answers the two questions that are asked of its tables."""

    def get(self, job_id: str) -> JobDetail | None:
        return answers.job(job_id=job_id, doc_id=JOBS[job_id][0]) if job_id in JOBS else None

    def jobs(self, doc: str, **_: Any) -> list[JobDetail]:
        return [answers.job(job_id=job_id, doc_id=found) for job_id, (found, _) in JOBS.items() if found == doc]

    def rows(self, query: Named, params: list[Any], **_: Any) -> Selected:
        if query is Named.JOBS_BY_KEY:
            found = [[j, doc] for j, (doc, key) in JOBS.items() if key == params[0] or doc.startswith(params[0])]
            return Selected(["job_id", "doc_id"], found, False)
        return Selected(["job_id"], [[job_id] for job_id in JOBS if job_id.startswith(params[0])], False)


class Lab:
    """The lab of that ledger."""

    ledger = Ledger()


@pytest.mark.parametrize(
    ("name", "job_id"),
    [("12345678-cccc", "12345678-cccc"), ("1234", "12345678-cccc"), ("765ff20e-a", "765ff20e-aaaa"),
     ("NCT90000001", "765ff20e-aaaa"), ("pmc:PMC9000002", "12345678-cccc"), ("clinicaltrials:NCT9", "765ff20e-aaaa")],
)  # fmt: skip
def test_a_job_is_named_by_the_beginning_of_its_id_or_its_document_s_key(name: str, job_id: str) -> None:
    assert find_job(Lab(), name).job_id == job_id  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "error"), [("765f", SeveralJobs), ("pmc:PMC9", SeveralDocuments), ("NCT1", NoSuchJob)]
)
def test_what_is_not_clear_is_refused(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        find_job(Lab(), name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("reviewed=true", ("reviewed", True)),
        ("score=0.5", ("score", 0.5)),
        ("who=anna", ("who", "anna")),
        ("x==", ("x", "=")),
    ],
)
def test_a_field_has_a_value_of_json_or_text(given: str, found: tuple[str, Any]) -> None:
    assert parse_field(given) == found


@pytest.mark.parametrize("given", ["reviewed", "=true", "a b=1", ""])
def test_what_is_not_a_field_with_a_value_is_refused(given: str) -> None:
    with pytest.raises(FieldUnclear):
        parse_field(given)


def test_the_live_line_says_how_many_have_ended_where_the_others_are_and_how_long_it_takes() -> None:
    states = {"a": "completed", "b": "running", "c": "running", "d": "on_queue"}
    jobs = {name: answers.job(state=states[name], stage="embed") for name in "abc"}
    assert progress_words(Progress(states, jobs), time.monotonic() - 21.5) == "1/4 · embed · 0:21"
    assert progress_words(Progress({"d": "on_queue"}), time.monotonic()) == "0/1 · on the queue · 0:00"


def test_the_live_line_of_up_names_what_it_waits_for() -> None:
    processes = [answers.process("broker"), answers.process("ledgerd", "starting")]
    started = time.monotonic() - 61.5
    assert starting_words(processes, started) == "1/2 ready · ledgerd · 1:01"
    assert starting_words(processes[:1], started) == "1/1 ready · 1:01"


def test_jobs_alone_lists_them() -> None:
    args = build_parser().parse_args(["jobs"])
    assert args.run.__name__ == "_list"
    assert (args.limit, args.state) == (100, None)


def test_stopping_a_lab_that_does_not_run_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path), "down"]) == exit_codes.OK
    assert "no lab was running" in capsys.readouterr().err


def test_a_gate_is_shown_with_its_times_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields(fields_of(answers.gate(waiting_since=1_796_000_000.0)))
    shown = capsys.readouterr().out
    assert clock(1_796_000_000.0) in shown
    assert "1.796e" not in shown
    assert "1796000000" not in shown


def test_only_what_failed_is_listed_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    print_outcome({"completed": 2}, [])
    assert "REASON" not in capsys.readouterr().out
    print_outcome({"failed": 1}, [("file:a.pdf", "bad_input", "damaged")])
    assert "damaged" in capsys.readouterr().out
