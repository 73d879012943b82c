"""What is left behind when something ends half way, and what is said of homes that were tampered with."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medkg_lab import exit_codes
from medkg_lab.cli.main import main
from medkg_lab.repro import archive as archives
from medkg_lab.repro.errors import IncidentDamaged, RunDamaged
from medkg_lab.repro.incident import AtomicInstall
from medkg_lab.repro.workbench import Workbench
from tests.unit.repro.worlds import incident, study

LARGE = " ".join(f"Patient {number} with type 2 diabetes takes metformin every day." for number in range(3000))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    archives.write(folder / "a.mklab", incident(folder, [study("NCT70000091", LARGE)]))
    return folder / "a.mklab"


@pytest.fixture
def desk(path: Path, tmp_path: Path) -> Path:
    """A home with the incident and a run."""
    assert main(["repro", "import", str(path), "--home", str(tmp_path / "desk")]) == 0
    assert main(["repro", "run", "--home", str(tmp_path / "desk")]) == 0
    return tmp_path / "desk"


def limited(size: int) -> None:
    """No file of this process may grow beyond `size` bytes: writing then fails as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_an_import_that_meets_a_full_disk_leaves_nothing(path: Path, tmp_path: Path, size: int) -> None:
    home = tmp_path / "desk"
    command = [sys.executable, "-m", "medkg_lab.cli.main", "repro", "import", str(path), "--home", str(home)]
    done = subprocess.run(command, preexec_fn=lambda: limited(size), capture_output=True, text=True, check=False)
    assert done.returncode == exit_codes.FAILED
    assert "Traceback" not in done.stderr
    assert not home.exists()
    assert main(["repro", "import", str(path), "--home", str(home)]) == exit_codes.OK


def test_what_was_there_before_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_bytes(b"1")

    def place() -> None:
        with AtomicInstall() as placing:
            placing.write(tmp_path / "kept" / "new", b"2")
            placing.write(tmp_path / "made" / "deep" / "new", b"3")
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        place()
    assert [str(one.relative_to(tmp_path)) for one in sorted(tmp_path.rglob("*"))] == ["kept", "kept/file"]


WRITING = """
import os, sys
from pathlib import Path
from medkg_lab.repro import archive
made = archive.read(Path(sys.argv[1]))
os.fsync = lambda handle: (print("written", flush=True), sys.stdin.read())
archive.write(Path(sys.argv[2]), made)
"""


def test_an_archive_has_its_name_only_when_it_is_whole(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mklab"
    pipe = subprocess.PIPE
    writer = subprocess.Popen([sys.executable, "-c", WRITING, str(path), str(out)], stdin=pipe, stdout=pipe)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"written\n"
    assert not out.exists()
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()
    assert not out.exists()
    archives.write(out, archives.read(path))
    assert out.read_bytes() == path.read_bytes()


def test_an_archive_that_does_not_fit_leaves_nothing(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mklab"
    program = WRITING.replace("os.fsync =", "unused =")
    command = [sys.executable, "-c", program, str(path), str(out)]
    done = subprocess.run(command, preexec_fn=lambda: limited(2000), capture_output=True, check=False)
    assert b"File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_import_is_made_once(path: Path, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repro", "import", str(path), "--home", str(desk)]) == exit_codes.USAGE
    assert "already holds a lab" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["diff", "7"], exit_codes.USAGE, "no run '7' here. Known are: recorded, 1"),
        (["diff", "--against", "8"], exit_codes.USAGE, "no run '8' here"),
        (["diff", "--jobs", "a", "b"], exit_codes.USAGE, "does not hold job a"),
        (["run", "--from", "nowhere"], exit_codes.USAGE, "no pipeline of the incident has a stage 'nowhere'"),
        (["step", "--before", "nowhere"], exit_codes.USAGE, "no pipeline of the incident has a stage 'nowhere'"),
        (["import", "nowhere.mklab"], exit_codes.USAGE, "cannot be read"),
        (["import", "/"], exit_codes.USAGE, "cannot be read"),
        (["export", "job", "--out", "x.mklab"], exit_codes.NOT_READY, "no lab is running"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_is_not_there_is_said(
    desk: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, complaint: str
) -> None:
    assert main(["repro", *arguments, "--home", str(desk)]) == code
    assert complaint.lower() in capsys.readouterr().err.lower()


def test_a_home_without_its_store_or_with_changed_files_is_damaged(desk: Path) -> None:
    files = [path for path in (desk / "data" / "repro" / "incident").rglob("*") if path.is_file()]
    assert len(files) > 5
    for one in files:
        before = one.read_bytes()
        one.write_bytes(before[: len(before) // 2] + b"x")
        with pytest.raises(IncidentDamaged, match=re.escape(one.name)):
            Workbench.at(desk)
        one.write_bytes(before)
    Workbench.at(desk)
    shutil.rmtree(desk / "data" / "artifacts")
    with pytest.raises(IncidentDamaged, match="artifacts/"):
        Workbench.at(desk)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"steps": [{}], "breakers": []}'])
def test_a_damaged_run_is_said_and_the_others_stay(desk: Path, data: bytes) -> None:
    runs = desk / "data" / "repro" / "runs"
    (runs / "2.json").write_bytes(data)
    (runs / "notes.json").write_bytes(b"a person's own")
    bench = Workbench.at(desk)
    with pytest.raises(RunDamaged, match=r"2\.json"):
        bench.compare(None)
    assert bench.compare("1").divergences == []


def test_a_killed_run_leaves_no_run_behind(desk: Path) -> None:
    program = "import os, sys\nfrom pathlib import Path\nfrom medkg_lab.repro.workbench import Workbench\n"
    program += "Path.replace = lambda *_: os.kill(os.getpid(), 9)\n"
    program += "from medkg_lab.repro.overrides import ReplayOverrides\nWorkbench.at(sys.argv[1]).run(ReplayOverrides())"
    ended = subprocess.run([sys.executable, "-c", program, str(desk)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert Workbench.at(desk).shelf.names() == ["1"]
