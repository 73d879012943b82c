"""Checks of what leaves the lab in archives, of document identity, and of documents that are too much."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import orjson

from tests.cases.case import Context, Outcome, case
from tests.labs import TestLab

REPOSITORY = Path(__file__).parents[3]
GOOD = "<p>We gave metformin to adults with diabetes. They walked every day.</p>"


def article(number: int, body: str) -> str:
    """A JATS article with a PMC id of its own."""
    title = f"<title-group><article-title>T {number}</article-title></title-group>"
    meta = f'<article-id pub-id-type="pmc">{number}</article-id>{title}'
    return f"<article><front><article-meta>{meta}</article-meta></front><body>{body}</body></article>"


@case(
    "documents/02",
    "two papers of one file name are two documents, both found; one name for both is answered with their ids",
)
def same_file_name(context: Context) -> Outcome:
    with context.lab() as lab:
        for place, name in (("a", "fulltext.pdf"), ("b", "other-fulltext.pdf")):
            folder = context.scratch / place
            folder.mkdir()
            (folder / "fulltext.pdf").write_bytes((context.inputs / name).read_bytes())
            lab.ok("submit", str(folder / "fulltext.pdf"), "--wait", "--timeout", "200")
        jobs = lab.ok("jobs", "list")
        ids = {job["doc_id"] for job in jobs}
        found = [doc_id for doc_id in ids if _is_found(lab, doc_id)]
        asked = lab.run("jobs", "show", "file:fulltext.pdf")
    states = sorted(job["state"] for job in jobs)
    right = (
        len(ids) == len(found) == 2
        and states == ["completed"] * 2
        and asked.code == 2
        and all(one in asked.err for one in ids)
    )
    return Outcome(
        right,
        f"{sorted(ids)}, {states}, {len(found)} of them found by their own words; the name alone: {asked.err.strip()[:200]}",
    )


def _is_found(lab: TestLab, doc_id: str) -> bool:
    """Whether a search for the first words of the document's first passage finds the document."""
    made = lab.ok("jobs", "show", doc_id, "--stage", "chunk")
    passages = made if isinstance(made, list) else made.get("chunks") or made.get("items") or []
    words = " ".join(re.findall(r"[A-Za-z]{5,}", passages[0]["text"])[:12])
    return doc_id in {hit["doc_id"] for hit in lab.ok("search", words)["hits"]}


@case(
    "security/11", "twenty articles complete beside hostile ones, which complete or are refused in words; none is dead"
)
def quadratic_chunking(context: Context) -> Outcome:
    folder = context.scratch / "hostile"
    folder.mkdir()
    bodies = {
        1: "<p>x</p>" * 8_000,
        2: "<p>x</p>" * 300_000,
        3: f"<p>{'We saw it in mice. ' * 16_000}</p>",
        4: f"<list>{'<list-item><p>a b</p></list-item>' * 16_000}</list>",
        5: f"<p>({'We saw it in mice. ' * 16_000}</p>",
        6: f"<p>{'A' * 2_000_000}</p>",
    }
    for number, body in bodies.items():
        (folder / f"h{number}.xml").write_text(article(number, body))
    for number in range(100, 120):
        (folder / f"good{number}.xml").write_text(article(number, GOOD))
    with context.lab(settings="stage_deadline_seconds: 240\n") as lab:
        lab.run("submit", str(folder), "--wait", "--timeout", "900", timeout=1000)
        jobs = {job["doc_id"]: job for job in lab.ok("jobs", "list")}
        lost = [one for one in lab.run("events", "--after", "0", "--json").out.splitlines() if '"batch.expired"' in one]
    good = [jobs[f"pmc:PMC{number}"]["state"] for number in range(100, 120)]
    hostile = {
        number: f"{(one := jobs[f'pmc:PMC{number}'])['state']} {one['reason'] or ''}".strip()[:80] for number in bodies
    }
    right = set(good) == {"completed"} and all(
        told.startswith(("completed", "failed This document")) for told in hostile.values()
    )
    return Outcome(
        right and not lost,
        f"good: {good.count('completed')} of 20 completed; hostile: {hostile}; batches lost: {len(lost)}",
    )


@case("security/16", "what is not an archive, or has events that cannot have happened, is refused at once in words")
def archive_fifo(context: Context) -> Outcome:
    os.mkfifo(context.scratch / "pipe.mklab")
    (context.scratch / "zero.mklab").symlink_to("/dev/zero")
    source = sorted((REPOSITORY / "tests" / "fixtures" / "incidents").glob("*.mklab"))[0]
    for name, change in (
        ("reversed", lambda lines: lines[::-1]),
        ("twice", lambda lines: lines[:2] * 200),
        ("gap", lambda lines: lines[:1] + lines[2:]),
    ):
        _changed(source, context.scratch / f"{name}.mklab", change)
    told: dict[str, str] = {}
    for name in ("pipe", "zero", "reversed", "twice", "gap"):
        lab = context.stopped_lab(f"desk-{name}")
        try:
            done = lab.run("repro", "import", str(context.scratch / f"{name}.mklab"), timeout=40)
            told[name] = f"{done.code} {done.err.strip()[:160]}"
        except subprocess.TimeoutExpired:
            told[name] = "no end within 40 s"
    right = all(re.match(r"[12] medkg-lab: ", one) and "Traceback" not in one for one in told.values())
    return Outcome(right, "; ".join(f"{name}: {one}" for name, one in told.items()))


def _changed(source: Path, target: Path, change: object) -> None:
    """The archive with its events changed, its manifest telling so."""
    import hashlib

    with zipfile.ZipFile(source) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    events = b"\n".join(change(members["ledger/events.jsonl"].splitlines()))  # type: ignore[operator]
    manifest = orjson.loads(members["manifest.json"])
    manifest["files"]["ledger/events.jsonl"] = {"sha256": hashlib.sha256(events).hexdigest(), "size": len(events)}
    members |= {"ledger/events.jsonl": events, "manifest.json": orjson.dumps(manifest)}
    with zipfile.ZipFile(target, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)


HAS_NO_FORM = {"age", "accession", "hospital-room", "gps", "pmid-ok", "date"}
"""Samples that redaction does not look for, as it says, and one that it must leave alone."""


@case("security/17", "every sample with a form or a label is found; what is not is said in --help and in the report")
def redaction(context: Context) -> Outcome:
    done = subprocess.run(
        [sys.executable, str(context.inputs / "phi.py")],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    missed = {line.split()[0] for line in done.stdout.splitlines() if "-- missed" in line}
    counted = next((line for line in done.stdout.splitlines() if line.startswith("found")), done.stderr[-200:])
    told = context.stopped_lab().run("repro", "export", "--help").out
    says = "no de-identification" in " ".join(told.split()) and "--redact-incomplete" in told
    return Outcome(
        bool(counted) and missed == HAS_NO_FORM and says, f"{counted}: {sorted(missed)}; help says so: {says}"
    )
