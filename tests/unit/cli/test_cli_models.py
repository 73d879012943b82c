"""`medkg-lab models`: a model is added, listed and removed by name."""

import json
from pathlib import Path

import pytest

from medkg_lab import exit_codes
from medkg_lab.cli.main import main
from tests.unit.embed.test_embed_own_models import folder

__all__ = ["folder"]


def test_a_model_is_added_listed_and_removed(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path / "lab"), "--json"]

    def ran(*command: str) -> object:
        assert main(["models", *command, *home]) == exit_codes.OK
        return json.loads(capsys.readouterr().out)

    made = ran("add", str(folder))
    assert isinstance(made, dict)
    assert (made["name"], made["dimension"], made["pooling"]) == ("small", 5, "mean")
    assert ran("list") == [made]
    assert ran("remove", "small") == {"removed": "small"}
    assert ran("list") == []


def test_a_bad_name_and_a_bad_folder_are_usage_errors(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, told in (([str(folder), "--name", "../x"], "--name"), ([str(tmp_path / "none")], "not a folder")):
        assert main(["models", "add", *arguments, "--home", str(tmp_path / "lab")]) == exit_codes.USAGE
        assert told in capsys.readouterr().err
    assert not (tmp_path / "lab").exists()
