"""The lab's folder may be named before the command and after it."""

from pathlib import Path

import pytest

from medkg_lab.cli.main import main


@pytest.mark.parametrize("order", ["before", "after", "both"])
def test_the_home_may_stand_anywhere(order: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other, home = ["--home", "/nowhere"], ["--home", str(tmp_path)]
    given = {"before": [*home, "paths"], "after": ["paths", *home], "both": [*other, "paths", *home]}[order]
    assert main([*given, "--json"]) == 0
    assert str(tmp_path) in capsys.readouterr().out
