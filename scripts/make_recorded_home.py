#!/usr/bin/env python3
"""Record the home of a lab of this version in tests/fixtures/homes: `.venv/bin/python scripts/make_recorded_home.py`.

Once for each version that is given away, and never again for an old one: later versions are tried on it. The lab has a study that
completed, a note that completed and was replaced, one that waits at a gate of its own pipeline, and one that failed.
"""

import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from medkg_lab import __version__  # noqa: E402
from tests.labs import TestLab  # noqa: E402

TARGET = ROOT / "tests" / "fixtures" / "homes"
LEFT_OUT = ("state/logs", "cache", "runtime")
SECRETS = (".password", ".token")
"""What a lab makes anew at each start."""
REVIEWED = """
version: "1.0"
name: reviewed
description: "Notes that a person has to look at"
stages:
  - {name: ingest, type: IngestStage, policy: polite-api}
  - {name: parse, type: ParseStage, policy: local, depends_on: [ingest]}
  - name: review
    type: Gate
    depends_on: [parse]
    condition: {ledger_field: reviewed, equals: true}
    resume_stage: chunk
  - {name: chunk, type: ChunkStage, policy: local, depends_on: [review]}
"""
NOTES = {
    "kept.txt": "Metformin lowered HbA1c in adults with type 2 diabetes.",
    "waits.txt": "Colchicine eased acute gout in a trial of forty adults.",
    "broken.json": '{"inventory": [1]}',
}


def fill(lab: TestLab, folder: Path) -> None:
    """Give the lab what a home of its version is to hold."""
    for name, text in NOTES.items():
        (folder / name).write_text(text)
    (folder / "reviewed.yaml").write_text(REVIEWED)
    study = ROOT / "bundled_pipelines" / "demo" / "trials" / "NCT90000010.json"
    lab.ok("pipeline", "apply", "reviewed", str(folder / "reviewed.yaml"))
    lab.ok("submit", str(study), "--wait")
    lab.ok("submit", str(folder / "kept.txt"), "--wait")
    lab.run("submit", str(folder / "broken.json"), "--wait")
    lab.run("submit", str(folder / "waits.txt"), "--pipeline", "reviewed", "--wait")


def main() -> None:
    """Run the lab, stop it, and pack its home."""
    with tempfile.TemporaryDirectory(prefix="mk", dir="/tmp") as scratch:
        lab = TestLab(Path(scratch) / "home", Path(scratch) / "cache")
        lab.ok("up")
        try:
            fill(lab, Path(scratch))
        finally:
            lab.ok("down")
        TARGET.mkdir(parents=True, exist_ok=True)
        path = TARGET / f"{__version__}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for file in sorted(lab.home.rglob("*")):
                inner = file.relative_to(lab.home).as_posix()
                if file.is_file() and not inner.startswith(LEFT_OUT) and not inner.endswith(SECRETS):
                    packed.write(file, inner)
        print(f"{path.stat().st_size / 1000:.0f} kB  {path}")


if __name__ == "__main__":
    main()
