"""Incidents run again: without change nothing diverges, and what was changed is named."""

import json
from pathlib import Path

import numpy as np
import orjson
import pytest

from medkg_lab.errors import LabError
from medkg_lab.locations import locate
from medkg_lab.repro import archive as archives
from medkg_lab.repro import bisect, junit, rehearsal
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.errors import BadChoice, NothingToBisect, NotInArchive, UnknownReplayStage, UnknownRun
from medkg_lab.repro.manifest import Manifest, entries, lines
from medkg_lab.repro.overrides import ReplayOverrides, Use, parse_use
from medkg_lab.repro.stepping import Stepper
from medkg_lab.repro.workbench import Workbench
from medkg_lab.stages.contracts import Embeddings
from medkg_lab.stages.kinds import KINDS
from medkg_lab.topology.models import Topology
from medkg_lab.topology.versions import version_of
from tests.unit.repro.worlds import SHORT, T0, event, incident, sha, study, topology

LONG = " ".join(f"Patient {number} with type 2 diabetes takes metformin every day." for number in range(24))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Three studies on a pipeline that was twice another one before."""
    studies = [study(f"NCT7000000{number}", LONG) for number in (1, 2, 3)]
    older = [topology(split_length=length) for length in (10, 8)]
    return incident(tmp_path_factory.mktemp("made"), studies, topology(split_length=3), older)


@pytest.fixture
def bench(made: Archive, tmp_path: Path) -> Workbench:
    return Workbench.of(made, locate(tmp_path / "desk"))


def changed(made: Archive, name: str, data: bytes) -> Archive:
    """The archive with another member, its manifest following."""
    members = {**made.members, name: data}
    return Archive(Manifest.model_validate({**vars(made.manifest), "files": entries(members)}), members)


def test_without_change_nothing_diverges(bench: Workbench) -> None:
    run = bench.run(ReplayOverrides())
    assert set(run.states.values()) == {"completed"}
    assert {step.how for step in run.steps} == {"ran"}
    report = bench.compare(run.id)
    assert (report.first, report.compared) == (None, 12)
    assert bench.find("recorded").by_key().keys() == run.by_key().keys()
    assert bench.find("1").encode() == run.encode()


def test_another_topology_is_named_at_its_stage(bench: Workbench) -> None:
    other = topology(split_length=5)
    run = bench.run(ReplayOverrides(topologies={"short": other}))
    report = bench.compare(run.id)
    assert report.first is not None
    assert (report.first.stage, report.first.doc_id) == ("chunk", "clinicaltrials:NCT70000001")
    assert report.first.item.startswith("clinicaltrials:NCT70000001#")
    assert set(report.by_stage()) == {"chunk", "extract"}
    assert any(version_of(other) in cause for cause in report.causes)


def test_bisection_finds_the_version_and_what_changed_in_it(bench: Workbench) -> None:
    known = [bench.incident.topology("short", one.version) for one in bench.incident.versions("topology")]
    lengths = [stage.with_.get("split_length") for one in known for stage in one.stages if stage.name == "chunk"]
    assert lengths == [10, 8, 3]
    found = bisect.bisect(bench, bisect.of_topologies(known, ReplayOverrides))
    assert found.changes == ["stage chunk: with {'split_length': 10} -> {'split_length': 8}"]
    assert found.first is not None
    assert found.first.stage == "chunk"
    assert [one.from_recorded == 0 for one in found.tried][-1]
    with pytest.raises(NothingToBisect):
        bisect.bisect(bench, [])
    same = bisect.of_uses([Use("chunk", "haystack.splitter", {"split_length": 3})] * 2, ReplayOverrides)
    assert bisect.bisect(bench, same).after is None


@pytest.mark.parametrize(("first", "count"), [(1, 2), (1, 7), (4, 7), (6, 7)])
def test_bisection_asks_few_questions(first: int, count: int) -> None:
    asked: list[int] = []

    def holds(place: int) -> bool:
        asked.append(place)
        return place >= first

    assert bisect.first_true(count, holds) == first
    assert len(asked) <= 4
    assert bisect.first_true(count, lambda _: False) is None


def test_a_gpu_stage_answers_from_its_recording_and_is_marked(made: Archive, tmp_path: Path) -> None:
    [job, *_] = made.manifest.jobs
    value = Embeddings("m", 2, "cuda", ("c#0",), np.array([[1.0, 0.0]], dtype=np.float32))
    data = KINDS["embeddings"].encode(value)
    seen = {"t0": T0 + 90, "t1": T0 + 91, "ms": [1.0], "counts": [1], "refs": [sha(data)], "kind": "embeddings"}
    seen |= {"implementation": "openai.embedder", "device": "cuda"}
    events = [orjson.loads(line) for line in made.members[names.EVENTS].splitlines()]
    events[1]["data"]["stages"].append("embed")
    began = event(90, "stage.started", [job.job_id], {"t0": T0 + 90}, stage="embed", batch="b1")
    ended = event(91, "stage.completed", [job.job_id], seen, stage="embed", batch="b1")
    events[-1:] = [began, ended, {**events[-1], "seq": 92, "id": "e92"}]
    whole = changed(changed(made, names.ARTIFACTS + sha(data), data), names.EVENTS, lines(events))
    embed = {"name": "embed", "type": "EmbedStage", "depends_on": ["chunk"], "implementation": "openai.embedder"}
    stages = [*topology(split_length=3).model_dump(mode="json", by_alias=True)["stages"], embed]
    on_gpu = Topology.model_validate({**SHORT, "stages": stages})
    bench = Workbench.of(whole, locate(tmp_path / "desk"))
    run = bench.run(ReplayOverrides(topologies={"short": on_gpu}))
    steps = {step.job: step for step in run.steps if step.stage == "embed"}
    assert (steps[job.job_id].how, steps[job.job_id].ref, steps[job.job_id].device) == ("recorded", sha(data), "cuda")
    others = [step for name, step in steps.items() if name != job.job_id]
    assert {step.status for step in others} == {"failed"}


def test_part_of_a_run(bench: Workbench) -> None:
    run = bench.run(ReplayOverrides(start="chunk", until="chunk"))
    assert {(step.stage, step.how) for step in run.steps} == {
        ("ingest", "recorded"),
        ("parse", "recorded"),
        ("chunk", "ran"),
    }
    assert bench.compare(run.id).divergences == []
    with pytest.raises(UnknownReplayStage):
        bench.run(ReplayOverrides(start="polish"))


def test_two_runs_are_compared_with_each_other(bench: Workbench) -> None:
    bench.run(ReplayOverrides())
    bench.run(ReplayOverrides(uses=(Use("chunk", "haystack.splitter", {"split_length": 4}),)))
    assert bench.compare("2", "1").first is not None
    assert bench.compare(None, "2").first is None
    with pytest.raises(UnknownRun):
        bench.compare("9")


def test_two_recorded_jobs_are_compared(bench: Workbench) -> None:
    one, other, _ = [job.job_id for job in bench.incident.manifest.jobs]
    first = bench.compare_jobs(one, other).first
    assert first is not None
    with pytest.raises(NotInArchive):
        bench.compare_jobs(one, "nobody")


def test_a_recorded_output_that_no_code_gives_is_named_with_both_values(made: Archive, tmp_path: Path) -> None:
    events = [orjson.loads(line) for line in made.members[names.EVENTS].splitlines()]
    parsed = next(one for one in events if one["stage"] == "parse" and one["type"] == "stage.completed")
    document = json.loads(made.members[names.ARTIFACTS + parsed["data"]["refs"][0]])
    document["blocks"][1]["text"] = "Something else."
    data = orjson.dumps(document)
    parsed["data"]["refs"][0] = sha(data)
    spoilt = changed(changed(made, names.ARTIFACTS + sha(data), data), names.EVENTS, lines(events))
    bench = Workbench.of(spoilt, locate(tmp_path / "desk"))
    report = bench.compare(bench.run(ReplayOverrides()).id)
    assert report.first is not None
    assert (report.first.stage, report.first.item, report.first.field) == ("parse", "block 1", "text")
    assert report.first.a == "Something else."


def test_stepping_stops_shows_edits_and_goes_on(bench: Workbench, tmp_path: Path) -> None:
    said: list[str] = []
    edited = tmp_path / "document.json"
    run = bench.run(ReplayOverrides(until="parse"))
    store = bench.store()
    document = json.loads(store.get(str(run.steps[-1].ref)))
    store.close()
    document["blocks"] = document["blocks"][:1]
    edited.write_text(json.dumps(document))
    script = ["input", "continue", "input", f"set document {edited}", "events 2", "what", "set document /nowhere"]
    script += ["break after extract", "topology 1.9", "next", "continue", "output", "continue"]
    stepped = Stepper(bench, iter(script), said.append, {"before chunk"}).run(ReplayOverrides())
    text = "\n".join(said)
    assert "before ingest of 1 jobs" in text or "before ingest of 3 jobs" in text
    assert "before chunk" in text
    assert "after extract" in text
    assert "submission: " in text
    assert "extraction: " in text
    assert "No such file" in text
    assert "does not hold a topology" in text
    first = bench.compare(stepped.id).first
    assert first is not None
    assert first.stage == "chunk"


def test_stepping_ends_where_the_commands_end(bench: Workbench) -> None:
    said: list[str] = []
    assert Stepper(bench, iter(["quit"]), said.append).run(ReplayOverrides()).steps == []
    assert Stepper(bench, iter([]), said.append).run(ReplayOverrides()).steps == []
    assert said[-1] == "stopped here"


def test_archives_are_verified_with_a_report(made: Archive, tmp_path: Path) -> None:
    archives.write(tmp_path / "good.mklab", made)
    events = [orjson.loads(line) for line in made.members[names.EVENTS].splitlines()]
    for one in events:
        if one["stage"] == "chunk" and one["type"] == "stage.completed":
            one["data"]["counts"] = [0]
            one["data"]["refs"] = [None]
    archives.write(tmp_path / "odd.mklab", changed(made, names.EVENTS, lines(events)))
    (tmp_path / "junk.mklab").write_text("<junk> & more")
    verdicts = junit.verify([tmp_path / f"{name}.mklab" for name in ("good", "odd", "junk")])
    assert [one.ok for one in verdicts] == [True, False, False]
    from lxml import etree

    suite = etree.fromstring(junit.xml(verdicts).encode())[0]
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["3", "1", "1"]
    assert [case.get("name") for case in suite] == ["good.mklab", "odd.mklab", "junk.mklab"]


def test_a_rehearsal_puts_both_sides_together(bench: Workbench) -> None:
    found = rehearsal.rehearse(bench, ReplayOverrides(topologies={"short": topology(split_length=20)}))
    assert (found.before.completed, found.after.completed) == (3, 3)
    assert found.outcomes == []
    assert found.divergences > 0


@pytest.mark.parametrize("text", ["chunk", "=x", "chunk=", "chunk=x:{", "chunk=x:[1]"])
def test_what_is_no_choice_is_refused(text: str) -> None:
    with pytest.raises(BadChoice):
        parse_use(text)


def test_choices_are_told_in_the_run() -> None:
    assert parse_use('chunk=x:{"a": 1}') == Use("chunk", "x", {"a": 1})
    assert ReplayOverrides(until="chunk", uses=(Use("chunk", "x"),)).to_json() == {
        "until": "chunk",
        "uses": ["chunk=x"],
    }


def test_a_policy_version_that_is_not_there_is_named(bench: Workbench) -> None:
    with pytest.raises(LabError, match="policies"):
        bench.incident.policies("000000000000")
