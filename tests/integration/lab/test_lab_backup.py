"""A backup of a lab that works, restored into an empty home: nothing is lost, and `verify` proves it."""

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from medkg_lab.knowledge import schema
from tests.faults.lab.test_faults_kill import write_trials
from tests.labs import TestLab
from tests.waiting import wait_until

KILLS = 30
OLD = Path(__file__).parents[2] / "fixtures" / "ledger" / "home.zip"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def lab(folder: Path) -> Iterator[TestLab]:
    """A lab with documents in it, and settings that hold a secret."""
    made = TestLab(folder / "home", folder / "cache")
    (made.home / "config").mkdir(parents=True)
    (made.home / "config" / "settings.yaml").write_text(
        "profile: cpu\nsources:\n  pubmed:\n    api_key: tell-nobody\n    base_url: http://127.0.0.1:9\n"
    )
    (made.home / "config" / "own.key").write_text("a key")
    try:
        made.ok("up")
        write_trials(folder / "first", 0)
        made.ok("submit", str(folder / "first"), "--wait")
        yield made
    finally:
        made.run("down")


def restored(lab: TestLab, backup: str, home: Path) -> TestLab:
    other = TestLab(home, lab.cache)
    other.ok("restore", backup)
    return other


def proves_itself(lab: TestLab, jobs: int) -> None:
    """Start the lab; every job that it knows ends well, and every view agrees with the ledger."""
    try:
        lab.ok("up")

        def unfinished() -> bool:
            sql = "SELECT count(*) FROM job WHERE state <> 'completed'"
            return bool(lab.ok("sql", sql)["rows"] == [[0]])

        wait_until(unfinished, 120, "every job is completed")
        assert lab.ok("sql", "SELECT count(*) FROM job")["rows"][0][0] >= jobs
        assert lab.ok("verify")["differences"] == []
    finally:
        lab.run("down")


@pytest.mark.timeout(600)
def test_a_backup_made_under_work_is_restored_whole(lab: TestLab, folder: Path) -> None:
    write_trials(folder / "second", 100)
    lab.ok("submit", str(folder / "second"))
    made = lab.ok("backup", "create")
    assert [one["path"] for one in lab.ok("backup", "list")] == [made["path"]]
    assert lab.ok("backup", "verify", made["path"])["differences"] == []
    other = restored(lab, made["path"], folder / "restored")
    # All that was acknowledged before the backup began is in it, also what was only on the work queue.
    proves_itself(other, 80)
    assert lab.ok("verify")["differences"] == []


def test_secrets_are_left_out(lab: TestLab, folder: Path) -> None:
    made = lab.ok("backup", "create", "--to", str(folder / "elsewhere"))
    path = Path(made["path"])
    assert set(made["left_out"]) == {"own.key", "settings.yaml: api_key"}
    state = {
        one.read_bytes() for one in (lab.home / "state").rglob("*") if one.suffix in (".key", ".password", ".token")
    }
    assert len(state) >= 3
    for one in path.rglob("*"):
        if one.is_file():
            content = one.read_bytes()
            assert b"tell-nobody" not in content
            assert not any(secret in content for secret in state)
            assert stat.S_IMODE(one.stat().st_mode) == 0o600, one
    settings = restored(lab, str(path), folder / "bare").home / "config" / "settings.yaml"
    assert "base_url: http://127.0.0.1:9" in settings.read_text()


def test_what_is_damaged_newer_or_not_empty_is_refused(lab: TestLab, folder: Path) -> None:
    made = Path(lab.ok("backup", "create", "--to", str(folder / "refused"))["path"])
    assert "HomeNotEmpty" in lab.run("restore", str(made), "--json").out
    other = TestLab(folder / "never", lab.cache)
    manifest = made / "backup.json"
    whole = manifest.read_text()
    for part in ("backup", "ledger", "knowledge", "artifacts"):
        newer = json.loads(whole)
        newer["formats"][part] += 1
        newer["something"] = "of a later version"
        manifest.write_text(json.dumps(newer))
        assert "BackupTooNew" in other.run("restore", str(made), "--json").out
    manifest.write_text(whole)
    store = made / "knowledge" / "knowledge.duckdb"
    content = store.read_bytes()
    store.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert lab.run("backup", "verify", str(made)).code == 1
    assert "BackupDamaged" in other.run("restore", str(made), "--json").out
    store.write_bytes(content)
    (made / "more").write_text("a file that nobody named")
    assert "BackupDamaged" in other.run("restore", str(made), "--json").out
    assert not other.home.exists()


@pytest.mark.full
def test_only_the_newest_are_kept(lab: TestLab, folder: Path) -> None:
    for number in range(3):
        write_trials(folder / f"kept{number}", 1000 + 100 * number)
        lab.ok("submit", str(folder / f"kept{number}"), "--wait")
        made = lab.ok("backup", "create", "--to", str(folder / "kept"), "--keep", "2")
    names = sorted(one.name for one in (folder / "kept").iterdir() if one.name != ".lock")
    assert len(names) == 2
    assert names[-1] == Path(made["path"]).name


def kill_amid(process: "subprocess.Popen[str]", folder: Path, files: int) -> None:
    """Kill `process` once there are so many files below `folder`, or it has ended."""

    def there() -> bool:
        # Folders may go while they are walked: an attempt that was killed is removed by the next one.
        return process.poll() is not None or sum(len(found) for _, _, found in os.walk(folder)) >= files

    wait_until(there, 120, f"{files} files")
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_a_killed_backup_leaves_whole_ones_alone(lab: TestLab, folder: Path) -> None:
    target = folder / "killed"
    for number in range(KILLS):
        kill_amid(lab.popen("backup", "create", "--to", str(target)), target, number + 1)
        for one in lab.ok("backup", "list", "--in", str(target)):
            assert lab.ok("backup", "verify", one["path"])["differences"] == []
    assert lab.ok("verify")["differences"] == []
    made = lab.ok("backup", "create", "--to", str(target), "--keep", "1")
    assert sorted(os.listdir(target)) == [".lock", Path(made["path"]).name]


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_a_killed_restore_leaves_no_home_or_a_whole_one(lab: TestLab, folder: Path) -> None:
    made = lab.ok("backup", "create", "--to", str(folder / "source"))
    home = folder / "again"
    other = TestLab(home, lab.cache)
    whole = 0
    for number in range(KILLS):
        kill_amid(other.popen("restore", made["path"]), folder / ".again.restoring", number + 1)
        if home.exists():
            whole += 1
            home.rename(folder / "whole")
            shutil.rmtree(folder / "whole")
    other.ok("restore", made["path"])
    assert not (folder / ".again.restoring").exists()
    assert lab.ok("backup", "verify", made["path"])["differences"] == []
    proves_itself(other, 40)
    assert whole < KILLS


@pytest.mark.full
@pytest.mark.timeout(300)
def test_the_lab_makes_backups_by_itself_and_keeps_the_newest(folder: Path, lab: TestLab) -> None:
    """Every two seconds here; two stay, and what a stop of the lab interrupts is no backup."""
    other = TestLab(folder / "scheduled", lab.cache)
    (other.home / "config").mkdir(parents=True)
    chosen = f"profile: cpu\nbackup:\n  every_hours: {2 / 3600}\n  keep: 2\n  folder: {folder / 'by-itself'}\n"
    chosen += f"retention:\n  every_hours: {2 / 3600}\n"
    (other.home / "config" / "settings.yaml").write_text(chosen)
    try:
        other.ok("up")
        seen: set[str] = set()

        def enough() -> bool:
            seen.update(one["path"] for one in other.ok("backup", "list"))
            return len(seen) >= 3 and other.ok("retention", "show")["last"] is not None

        wait_until(enough, 120, "three backups were made, and what may go was removed")
    finally:
        other.run("down")
    left = other.ok("backup", "list")
    assert len(left) <= 3  # two, and one that was just made when the lab was stopped
    for one in left:
        assert other.ok("backup", "verify", one["path"])["differences"] == []


def old_home(lab: TestLab, folder: Path) -> TestLab:
    """A lab as an earlier version left it: a recorded ledger, and a knowledge store in its first format."""
    other = TestLab(folder, lab.cache)
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "settings.yaml").write_text("profile: cpu\n")
    with zipfile.ZipFile(OLD) as recorded:
        recorded.extractall(folder / "data" / "ledger")
    (folder / "data" / "knowledge").mkdir()
    with duckdb.connect(str(folder / "data" / "knowledge" / "knowledge.duckdb")) as store:
        store.execute(schema.TABLES.format(version=schema.VERSION))
        store.execute("DROP TABLE sparse")
        store.execute("UPDATE position SET seq = 1 WHERE name = 'schema'")
    return other


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.mark.full
@pytest.mark.timeout(300)
def test_an_older_lab_is_backed_up_before_it_is_upgraded(lab: TestLab, folder: Path) -> None:
    other = old_home(lab, folder / "old")
    before = files_of(other.home)
    try:
        other.ok("up")
        [made] = other.ok("backup", "list")
        assert any(made["path"] in note for note in other.ok("status")["notes"])
        assert other.ok("ledger", "snapshot")["head"] >= 53
    finally:
        other.run("down")
    with duckdb.connect(str(other.home / "data" / "knowledge" / "knowledge.duckdb")) as store:
        assert store.execute("SELECT seq FROM position WHERE name = 'schema'").fetchall() == [(schema.VERSION,)]
    back = files_of(restored(lab, made["path"], folder / "as-it-was").home)
    del back["data/version.json"]
    assert back == before
    # The same version again makes none, and neither does a new lab.
    try:
        other.ok("up")
        assert len(other.ok("backup", "list")) == 1
    finally:
        other.run("down")
    assert lab.ok("backup", "list", "--in", str(lab.home / "data" / "none")) == []


@pytest.mark.full
def test_an_upgrade_without_a_backup_is_refused(lab: TestLab, folder: Path) -> None:
    other = old_home(lab, folder / "no-room")
    settings = other.home / "config" / "settings.yaml"
    (folder / "a-file").write_text("no folder can be made below it")
    settings.write_text(f"profile: cpu\nbackup: {{folder: {folder / 'a-file' / 'below'}}}\n")
    refused = other.run("up")
    assert refused.code != 0
    assert "before_upgrade: false" in refused.err
    settings.write_text("profile: cpu\nbackup: {before_upgrade: false}\n")
    try:
        other.ok("up")
        assert other.ok("backup", "list") == []
    finally:
        other.run("down")
