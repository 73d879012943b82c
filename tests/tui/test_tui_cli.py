"""`medkg-lab` without a command, where there is no terminal."""

import pytest

from medkg_lab import exit_codes
from medkg_lab.cli.main import main


@pytest.mark.parametrize("arguments", [[], ["screen"], ["screen", "--no-start", "--theme", "light"]])
def test_without_a_terminal_it_says_so(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == exit_codes.USAGE
    told = capsys.readouterr()
    assert "needs a terminal" in told.err
    assert "medkg-lab status" in told.err
    assert told.out == ""


def test_a_theme_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["screen", "--theme", "pink"])
    assert ended.value.code == exit_codes.USAGE
    assert "contrast" in capsys.readouterr().err
