"""Arguments that make no sense are usage errors, told in words, before a lab is asked."""

from pathlib import Path

import pytest

from medkg_lab import exit_codes
from medkg_lab.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "x", "--limit", "0"], "'0' is not a number from 1 to 200"),
        (["search", "x", "--limit", "201"], "'201' is not a number from 1 to 200"),
        (["search", "x", "--per-document", "0"], "'0' is not a number from 1"),
        (["search", "x", "--limit", "many"], "'many' is not a number"),
        (["graph", "node", "x", "--limit", "-1"], "'-1' is not a number from 1 to 1,000,000"),
        (["graph", "path", "x", "y", "--hops", "9"], "'9' is not a number from 0 to 8"),
        (["graph", "export", "--limit", "0"], "'0' is not a number"),
        (["jobs", "list", "--limit", "0"], "'0' is not a number from 1 to 100,000"),
        (["watch", "--every", "nan"], "'nan' is not a number of seconds from 0.1"),
        (["watch", "--every", "inf"], "'inf' is not a number of seconds"),
        (["watch", "--every=-1"], "'-1' is not a number of seconds"),
        (["submit", "x", "--timeout", "1e999"], "'1e999' is not a number of seconds"),
        (["submit", "x", "--query", "--limit", "0"], "'0' is not a number from 1"),
        (["submit", "x", "--limit", "99999999999999999999"], "is not a number from 1"),
        (["logs", "--lines=-1"], "'-1' is not a number from 0"),
        (["events", "--after", "99999999999999999999"], "is not a number from 0"),
        (["sql", "select 1", "--limit=-1"], "'-1' is not a number from 1"),
        (["ledger", "prune", "--keep=-1"], "'-1' is not a number from 0"),
        (["jobs", "list", "--state", "bogus"], "invalid choice: 'bogus'"),
        (["gate", "list", "--state", "bogus"], "invalid choice: 'bogus'"),
        (["jobs", "show", "x", "--chunk", "3"], "--chunk 3 says nothing without the stage"),
    ],
)
def test_it_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    try:
        code: object = main(["--home", str(tmp_path), *arguments])
    except SystemExit as end:
        code = end.code
    assert code == exit_codes.USAGE
    assert said in capsys.readouterr().err
