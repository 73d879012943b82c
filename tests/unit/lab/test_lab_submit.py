"""What `submit` refuses before it puts anything on the work queue; no lab needs to run for that."""

from pathlib import Path

import pytest

from medkg_lab import exit_codes
from medkg_lab.cli.main import main

STUDY = '{"protocolSection": {"identificationModule": {"nctId": "NCT77777777"}}}'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["NCT77777777", "--pipeline", "nope"], "nope"),
        (["NCT77777777", "--pipeline", "No Pipeline"], "pipeline is refused"),
        (["sepsis", "--query", "--source", "nope"], "There is no source called 'nope'. Use one of: clinicaltrials"),
        (["NCT77777777", "--tenant", ""], "tenant_id is refused"),
        (["", "NCT77777777"], "'' is neither a file nor an id"),
        (["NCT7777777"], "neither a file nor an id"),
    ],
)
def test_what_the_queue_would_set_aside_is_refused_at_once(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", *arguments, "--home", str(tmp_path)]) != exit_codes.NOT_READY
    assert said in capsys.readouterr().err


def test_what_can_be_submitted_needs_a_lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "study.json"
    study.write_text(STUDY)
    assert main(["submit", str(study), "--home", str(tmp_path / "home")]) == exit_codes.NOT_READY
    assert "No lab is running" in capsys.readouterr().err
