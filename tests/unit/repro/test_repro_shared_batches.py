"""An export holds nothing of the other jobs that shared a batch with its own: not a byte, packed or redacted or neither."""

import io
import json
import random
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.answers import JobDetail
from medkg_lab.ledger.client import EventPage
from medkg_lab.ledger.state import Definition
from medkg_lab.locations import locate
from medkg_lab.models.event_codec import from_json
from medkg_lab.models.submission import Payload
from medkg_lab.repro import archive as archives
from medkg_lab.repro import export
from medkg_lab.repro import manifest as names
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.redact import redact
from medkg_lab.repro.rerecord import rerecord
from medkg_lab.repro.workbench import Workbench
from medkg_lab.settings import Settings
from medkg_lab.sources.exchanges import ArtifactExchangeLog, Exchange, request_key
from tests import answers
from tests.unit.repro.worlds import T0, incident, sha, study, topology

ADDRESS = "https://user:hunter22@embed.example.org/v1"


@dataclass
class Ledger:
    """A ledger that only answers, as far as an export asks."""

    events_: list[dict[str, Any]]
    jobs_: dict[str, JobDetail]
    definitions_: list[Definition]

    def get(self, job_id: str) -> JobDetail | None:
        return self.jobs_.get(job_id)

    def low_waters(self) -> dict[str, int]:
        return {"ledger": 0}

    def definitions(self, kind: str) -> list[Definition]:
        return [one for one in self.definitions_ if one.kind == kind]

    def events(self, after: int, limit: int, job_id: str | None = None) -> EventPage:
        found = [one for one in self.events_ if one["seq"] > after and job_id in (None, *one["jobs"])]
        return EventPage(tuple(map(from_json, found[:limit])), len(self.events_))


@dataclass
class Shared:
    """Studies that went through one batch; `marks` are the texts of each one that nobody else may see, by its job."""

    lab: Lab
    marks: dict[str, list[str]] = field(default_factory=dict)


def shared_batch(folder: Path, seed: int) -> Shared:
    """A lab whose jobs shared every event that jobs can share, and some calls."""
    chance = random.Random(seed)
    count = chance.randint(2, 6)
    keys = [f"NCT7{chance.randrange(10**6, 10**7)}" for _ in range(count)]
    studies = [study(key, f"Adults with gout named Zz{key}q take metformin. They walk every day.") for key in keys]
    # Without a stage that joins jobs the replay needs no model; the batch is made to look shared below.
    made = incident(folder, studies, topology())
    events = [json.loads(line) for line in made.members[names.EVENTS].splitlines()]
    specs = {spec["job_id"]: spec for spec in events[0]["data"]["specs"]}
    locations = locate(folder / "home")
    store = ArtifactStore(locations.data / "artifacts", "test")
    blobs = [data for name, data in made.members.items() if name.startswith(names.ARTIFACTS)]
    store.put_many(blobs)
    marks: dict[str, list[str]] = {}
    for (job, spec), key, text in zip(specs.items(), keys, studies, strict=True):
        spec |= {"tenant_id": f"tenant-{key}", "correlation_id": f"order-{key}"}
        spec["submission"] |= {"tenant_id": spec["tenant_id"], "correlation_id": spec["correlation_id"]}
        marks[job] = [key, f"Zz{key}q", spec["tenant_id"], spec["correlation_id"], f"file-{key}", job]
        marks[job] += [sha(json.dumps(text).encode())]
    log = ArtifactExchangeLog(store.put)
    events = list(numbered(joined(events, specs, log, chance)))
    for event in events:
        if event["type"] == "stage.completed":
            for job, ref in zip(event["jobs"], event["data"]["refs"], strict=True):
                marks[job].append(ref)
    store.close()
    told = ("job_id", "doc_id", "tenant_id", "pipeline", "pipeline_version")
    jobs = {
        job: answers.job(**{name: spec[name] for name in told}, state="completed", profile="cpu")
        for job, spec in specs.items()
    }
    definitions = [
        Definition(kind=name.split("/")[1], **json.loads(data))
        for name, data in made.members.items()
        if name.startswith(names.DEFINITIONS)
    ]
    settings = Settings.model_validate({"sources": {"core": {"base_url": ADDRESS}}})
    lab = SimpleNamespace(ledger=Ledger(events, jobs, definitions), locations=locations, settings=settings)
    return Shared(cast(Lab, lab), marks)


def joined(
    events: Sequence[dict[str, Any]], specs: Mapping[str, Any], log: ArtifactExchangeLog, chance: random.Random
) -> Iterator[dict[str, Any]]:
    """The events as an engine writes them: those of the batch's jobs in one, with trouble that concerns all of them."""
    jobs = list(specs)
    submitted, claim, *body, done = events
    yield submitted
    for name, key in (("docs", "doc_id"), ("tenants", "tenant_id"), ("correlations", "correlation_id")):
        claim["data"][name] = [spec[key] for spec in specs.values()]
    claim["data"]["executions"] = [1] * len(jobs)
    yield claim
    for stage in claim["data"]["stages"]:
        yield {**body[0], "stage": stage, "jobs": jobs}
        told = " and ".join(f"{spec['doc_id']} of {spec['tenant_id']}" for spec in specs.values())
        trouble = {"attempt": 1, "delay_s": 0.1, "kind": "service", "reason": f"no answer for {told}"}
        if len(jobs) > 1 and chance.random() < 0.5:
            yield {**body[0], "type": "stage.retrying", "stage": stage, "jobs": jobs, "data": trouble}
        ended = [one for one in body if one["stage"] == stage and one["type"] == "stage.completed"]
        chance.shuffle(ended)
        first = ended[0]
        several = {key: [one["data"][key][0] for one in ended] for key in ("ms", "counts", "refs")}
        data = {**first["data"], **several, "exchanges": exchanges(specs, stage, log)}
        yield {**first, "jobs": [one["jobs"][0] for one in ended], "data": data}
    yield done


def exchanges(specs: Mapping[str, Any], stage: str, log: ArtifactExchangeLog) -> list[str]:
    """A call for each job."""
    for job, spec in specs.items():
        url = f"https://example.org/{stage}/{spec['doc_key']}"
        labels = {"job": job, "stage": stage, "attempt": 1, "call": 1}
        body = f"text of {spec['doc_id']}".encode()
        log.record(
            Exchange(request_key("POST", url, body), "POST", url, T0, 1.0, 200, {}, body, url, body, labels=labels)
        )
    return log.drain()


def numbered(events: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for seq, event in enumerate(events, 1):
        yield {**event, "seq": seq, "id": f"e{seq}", "ts": T0 + seq}


def every_byte(data: bytes) -> Iterator[bytes]:
    """The bytes, and those of every member of every archive within them."""
    yield data
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            for info in opened.infolist():
                yield info.filename.encode()
                yield from every_byte(opened.read(info))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("redacted", [False, True], ids=["plain", "redacted"])
def test_no_byte_of_another_job_leaves_and_the_run_is_the_same(tmp_path: Path, seed: int, redacted: bool) -> None:
    shared = shared_batch(tmp_path, seed)
    chosen = random.Random(seed).sample(list(shared.marks), max(1, len(shared.marks) // 2))
    gathered = export.gather(shared.lab, chosen, topics=False)
    made = gathered.archive
    if redacted:
        made = rerecord(made, redact(made).archive)
    archives.write(tmp_path / "a.mklab", made)
    packed = b"\n".join(every_byte((tmp_path / "a.mklab").read_bytes())).lower()
    own = {mark for job in chosen for mark in shared.marks[job]}
    foreign = {mark for job, marks in shared.marks.items() if job not in chosen for mark in marks} - own
    assert foreign
    assert [mark for mark in sorted(foreign) if mark.lower().encode() in packed] == []
    assert b"hunter22" not in packed
    bench = Workbench.of(archives.read(tmp_path / "a.mklab"), locate(tmp_path / "desk"))
    run = bench.run(ReplayOverrides())
    assert set(run.states.values()) == {"completed"}
    # Stages of this machine are not tried again: that was only written into the events above.
    assert [one for one in bench.compare(run.id).divergences if one.field != "tries"] == []


def test_a_hash_in_what_a_producer_said_brings_no_other_document_along(tmp_path: Path) -> None:
    shared = shared_batch(tmp_path, 1)
    mine, other = list(shared.marks)[:2]
    ledger = cast(Ledger, shared.lab.ledger)
    event = next(one for one in ledger.events_ if one["type"] == "stage.completed" and one["data"]["kind"] == "payload")
    place = event["jobs"].index(mine)
    store = ArtifactStore(shared.lab.locations.data / "artifacts", "test")
    payload = Payload.model_validate_json(store.get(event["data"]["refs"][place]))
    secret = store.put(b"what another document says")
    told = payload.model_copy(update={"metadata": {"see": secret}})
    event["data"]["refs"][place] = store.put(orjson.dumps(told.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS))
    store.close()
    made = export.gather(shared.lab, [mine], topics=False).archive
    assert f"{names.ARTIFACTS}{payload.sha256}" in made.members
    assert f"{names.ARTIFACTS}{secret}" not in made.members
    assert other not in made.manifest.encode().decode()
