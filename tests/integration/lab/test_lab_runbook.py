"""Every command of the runbook and of the page about Dagster works, in their order, in a lab that runs."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.lab.test_lab_deletion import study
from tests.labs import TestLab
from tests.static.test_static_readme import ROOT, commands, complaint

PAGES = ("docs/how-to/dagster-orchestration.md", "docs/how-to/runbook.md")
AGAIN = ("down", "up")
"""The commands that are run each time they stand there: what follows them rests on it."""


@pytest.fixture
def lab() -> Iterator[TestLab]:
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    made = TestLab(folder / "home", folder / "cache")
    (folder / "in").mkdir()
    for number in range(2):
        (folder / "in" / f"{number}.json").write_text(json.dumps(study(number)))
    try:
        made.ok("up")
        made.ok("submit", str(folder / "in"), "--wait")
        yield made
    finally:
        made.run("down")
        TestLab(folder / "new", folder / "cache").run("down")
        shutil.rmtree(folder, ignore_errors=True)


def written() -> list[tuple[str, ...]]:
    """The commands of both pages without `medkg-lab`, each once, but for those that stop and start the lab."""
    found: list[tuple[str, ...]] = []
    for page in PAGES:
        for words in commands((ROOT / page).read_text(encoding="utf-8")):
            assert words[0] == "medkg-lab", words
            if words[1:] not in found or words[1] in AGAIN:
                found.append(words[1:])
    while found[-1] in found[:-1]:
        found.pop()
    return found


def test_every_command_of_the_runbook_parses(capsys: pytest.CaptureFixture[str]) -> None:
    assert [words for words in written() if complaint(words, capsys)] == []


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_every_command_of_the_runbook_works(lab: TestLab) -> None:
    folder = lab.home.parent
    chosen = {
        "DOCUMENT": "NCT99000000",
        "PROCESS": "knowledge",
        "NEW_HOME": str(folder / "new"),
        "FOLDER": str(folder / "b"),
    }
    assert len(written()) > 30
    for words in written():
        if "BACKUP" in words:
            chosen["BACKUP"] = lab.ok("backup", "list", "--in", chosen["FOLDER"])[0]["path"]
        done = lab.run(*(chosen.get(word, word) for word in words), cwd=folder)
        assert done.code == 0, f"{' '.join(words)}: {done.err[-1000:]}{done.out[-1000:]}"
    assert (folder / "report.html").exists()
