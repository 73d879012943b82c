#!/usr/bin/env python3
"""Make the archives in tests/fixtures/incidents anew: `.venv/bin/python scripts/make_incident_fixtures.py`.

A real lab beside a local server that misbehaves takes in bundled demo documents and studies of the tests' own, and exports what
became of them. The archives differ from one making to the next by times and ids alone; make them again only where a change to
the format or to a stage is meant.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.http_service import Answer, HttpService  # noqa: E402
from tests.integration.repro.support import DEMO, PluggedLab, faulty_lab, job_of, sentences, study  # noqa: E402

TARGET = ROOT / "tests" / "fixtures" / "incidents"
LARGEST = 100_000
"""Bytes that an archive may have, so that the repository stays light."""


def study_that_completed(lab: PluggedLab, _: HttpService) -> list[str]:
    """A demo study on the bundled text pipeline, from parsing to the graph."""
    lab.ok("submit", str(DEMO / "trials" / "NCT90000010.json"), "--wait", "--timeout", "120")
    return [job_of(lab, "clinicaltrials:NCT90000010")]


def registry_that_was_busy(lab: PluggedLab, service: HttpService) -> list[str]:
    """A study whose registry answers 503, then 429, and then gives it."""
    busy = [Answer(b"busy", 503), Answer(b"slow down", 429, {"retry-after": "1"})]
    body = json.dumps(study("NCT77000071", sentences(12))).encode()
    service.answers["/ct/studies/NCT77000071"] = [*busy, Answer(body, headers={"content-type": "application/json"})]
    lab.ok("submit", "NCT77000071", "--wait", "--timeout", "120")
    return [job_of(lab, "clinicaltrials:NCT77000071")]


def study_that_was_not_there(lab: PluggedLab, _: HttpService) -> list[str]:
    """A study that its registry does not have: the job fails."""
    lab.run("submit", "NCT77000072", "--wait", "--timeout", "120")
    return [job_of(lab, "clinicaltrials:NCT77000072")]


def paper_behind_its_gate(lab: PluggedLab, _: HttpService) -> list[str]:
    """A demo PDF, converted here, behind the gate of the bundled two-phase pipeline."""
    (lab.home / "config" / "settings.yaml").unlink()
    lab.ok("down")
    lab.ok("up")
    path = DEMO / "papers" / "copd-azithromycin.pdf"
    lab.ok("submit", str(path), "--wait", "--timeout", "200")
    return [job_of(lab, f"file:{path.name}")]


INCIDENTS = (study_that_completed, registry_that_was_busy, study_that_was_not_there, paper_behind_its_gate)


def main() -> None:
    """Make them all, and replace the old ones once all of them are small enough."""
    with tempfile.TemporaryDirectory() as name, faulty_lab() as (lab, service):
        made = []
        for incident in INCIDENTS:
            path = Path(name) / f"{incident.__name__.replace('_', '-')}.mklab"
            size = lab.ok("repro", "export", *incident(lab, service), "--out", str(path))["bytes"]
            if size > LARGEST:
                raise SystemExit(f"{path.name} has {size} bytes, more than {LARGEST}")
            print(f"{path.name}: {size} bytes")
            made.append(path)
        TARGET.mkdir(parents=True, exist_ok=True)
        for old in TARGET.glob("*.mklab"):
            old.unlink()
        for path in made:
            shutil.copyfile(path, TARGET / path.name)


if __name__ == "__main__":
    main()
