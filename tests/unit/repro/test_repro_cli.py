"""The commands, on incidents without a lab."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from medkg_lab.cli.main import main
from medkg_lab.repro import archive as archives
from tests.unit.repro.worlds import SHORT, incident, study, topology

LONG = " ".join(f"Patient {number} with type 2 diabetes takes metformin every day." for number in range(20))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of one study on a pipeline that was another one before."""
    folder = tmp_path_factory.mktemp("made")
    made = incident(folder, [study("NCT70000031", LONG)], topology(split_length=4), [topology(split_length=9)])
    archives.write(folder / "a.mklab", made)
    return folder / "a.mklab"


@pytest.fixture
def home(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    desk = str(tmp_path / "desk")
    assert main(["repro", "import", str(path), "--home", desk]) == 0
    assert "NCT70000031" in capsys.readouterr().out
    return desk


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> Any:
    """What a command prints as JSON; it must end with `code`."""
    assert main([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_run_and_diff_tell_scripts_by_their_exit_code(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, 0, "repro", "run", "--home", home)["divergences"] == 0
    assert said(capsys, 0, "repro", "diff", "--home", home)["ok"] is True
    use = 'chunk=haystack.splitter:{"split_length": 6}'
    ran = said(capsys, 0, "repro", "run", "--home", home, "--use", use)
    assert ran["first"]["stage"] == "chunk"
    assert said(capsys, 1, "repro", "diff", "--home", home)["first"]["stage"] == "chunk"
    assert main(["repro", "diff", "2", "--against", "1", "--home", home]) == 1
    text = capsys.readouterr().out
    assert "first divergence: chunk → clinicaltrials:NCT70000031" in text
    assert "different: uses" in text
    assert said(capsys, 0, "repro", "show", "--home", home)["profile"] == "cpu"


def test_bisect_names_the_change(home: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, 1, "repro", "bisect", "topology", "--home", home)
    assert found["changes"] == ["stage chunk: with {'split_length': 9} -> {'split_length': 4}"]
    assert main(["repro", "bisect", "policies", "--home", home]) == 2
    assert "two versions at least" in capsys.readouterr().err
    assert main(["repro", "bisect", "topology", "--home", home]) == 1
    assert "the change is between" in capsys.readouterr().out


def test_step_reads_commands(home: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"continue\ninput\ncontinue\n")))
    assert main(["repro", "step", "--before", "parse", "--home", home]) == 0
    text = capsys.readouterr().out
    assert "before parse of 1 jobs" in text
    assert '"sha256"' in text


def test_verify_writes_a_report(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.xml"
    assert main(["repro", "verify", str(path), "--junit", str(report)]) == 0
    assert "as recorded, 4 steps" in capsys.readouterr().out
    assert 'tests="1" failures="0" errors="0"' in report.read_text()
    assert said(capsys, 1, "repro", "verify", str(report))["ok"] is False


def test_rehearsals_put_old_and_new_side_by_side(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policies = {"policies": [{"name": "local", "max_attempts": 2, "backoff_strategy": "none", "timeout_seconds": 9}]}
    (tmp_path / "policies.yaml").write_text(yaml.safe_dump(policies))
    found = said(capsys, 0, "policies", "rehearse", str(path), "--policies", str(tmp_path / "policies.yaml"))
    assert (found["before"]["completed"], found["after"]["completed"], found["assumed"]) == (1, 1, 0)
    changed = topology(split_length=2).model_dump(mode="json", by_alias=True, exclude_none=True)
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    home = str(tmp_path / "nowhere")
    shown = ["pipeline", "rehearse", str(tmp_path / "short.yaml"), "--archive", str(path), "--home", home]
    assert main(shown) == 0
    assert "differences in what the stages made" in capsys.readouterr().out


def test_assemble_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(dict(SHORT), sort_keys=False))
    entry = {"job_id": "j-1", "dataset": "clinicaltrials", "doc_key": "NCT70000031", "status": "completed"}
    (tmp_path / "entry.json").write_text(json.dumps({**entry, "pipeline_name": "short"}))
    out = tmp_path / "made.mklab"
    arguments = ["repro", "assemble", "--entry", str(tmp_path / "entry.json"), "--out", str(out)]
    arguments += ["--topology", str(tmp_path / "short.yaml")]
    assert main(arguments) == 0
    shown = capsys.readouterr()
    assert "job j-1 of short" in shown.out
    assert "missing: the source payload" in shown.err
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err
    assert archives.read(out).manifest.origin == "assemble"


def test_a_hostile_archive_is_refused_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.mklab").write_bytes(b"PK no zip")
    assert main(["repro", "import", str(tmp_path / "bad.mklab"), "--home", str(tmp_path / "desk")]) == 1
    assert "refused and nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "desk").exists()
    assert main(["repro", "run", "--home", str(tmp_path / "desk")]) == 2
    assert "No incident was imported" in capsys.readouterr().err
