"""The commands in README.md are real: they parse, and the documentation leaves no command out."""

import argparse
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab.cli.main import build_parser

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(?:console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENDS_A_COMMAND = frozenset("|&;<>") | {"&&", "||", ">>"}


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """The commands after a `$` in the fenced blocks of a Markdown text, as words; one line may hold several."""
    for block in FENCED.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield from split(line.removeprefix("$ "))


def split(line: str) -> Iterator[tuple[str, ...]]:
    """The commands of one shell line, without assignments before them and redirections after them."""
    words: list[str] = []
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for word in [*lexer, ";"]:
        if word in ENDS_A_COMMAND:
            if words:
                yield tuple(words)
            words = []
        elif words or not re.match(r"[A-Z_]+=", word):
            words.append(word)


def complaint(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line's parser says against the arguments; empty when they parse."""
    try:
        build_parser().parse_args(arguments)
    except SystemExit as stop:
        return capsys.readouterr().err if stop.code else ""
    return ""


def test_what_a_command_reads_was_made_by_one_before_it() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text(encoding="utf-8")
        shell = "".join(FENCED.findall(text))
        for name in re.findall(r"(?<!<)< ([\w.-]+)$", shell, re.MULTILINE):
            assert f"> {name}\n" in shell.partition(f"< {name}")[0], f"{page.name}: nothing makes {name}"


DOCUMENTS = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
LAB_COMMANDS = [words for words in commands(README) if words[0] == "medkg-lab"]
SCRIPT_COMMANDS = [words for words in commands(README) if words[0].startswith("./scripts/")]


def test_the_readme_shows_how_to_start() -> None:
    assert {"demo", "up", "submit", "search"} <= {words[1] for words in LAB_COMMANDS if len(words) > 1}
    assert {"./scripts/demo", "./scripts/test"} <= {words[0] for words in SCRIPT_COMMANDS}


@pytest.mark.parametrize("words", LAB_COMMANDS, ids=" ".join)
def test_a_command_in_the_readme_parses(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert complaint(words[1:], capsys) == ""


@pytest.mark.parametrize("words", SCRIPT_COMMANDS, ids=" ".join)
def test_a_script_in_the_readme_can_be_run(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert os.access(ROOT / words[0], os.X_OK)
    if words[0] == "./scripts/demo":
        assert complaint(("demo", *words[1:]), capsys) == ""


def test_every_command_is_documented() -> None:
    documented = README + (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    [groups] = [each for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction)]
    assert len(groups.choices) > 5
    assert [name for name in groups.choices if f"medkg-lab {name}" not in documented] == []


def test_commands_are_found_in_fenced_blocks() -> None:
    text = (
        "```console\n$ medkg-lab up && MEDKG_LAB_HOME=here medkg-lab submit 'a b' \\\n    --wait\noutput\n```\n"
        "`$ medkg-lab none`\n```sh\n$ ./scripts/test --full | tail  # a remark\n```\n```text\n$ medkg-lab neither\n```\n"
    )
    assert list(commands(text)) == [
        ("medkg-lab", "up"),
        ("medkg-lab", "submit", "a b", "--wait"),
        ("./scripts/test", "--full"),
        ("tail",),
    ]


def test_a_wrong_command_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--no-such-option" in complaint(("submit", "x", "--no-such-option"), capsys)
    assert complaint(("--help",), capsys) == ""


def test_the_modules_and_pages_that_the_documents_name_are_there() -> None:
    missing = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for name in re.findall(r"`([a-z_]+(?:/[a-z_0-9]+)+\.py)`", text):
            if not any((ROOT / start / name).exists() for start in ("", "medkg_lab", "medkg_lab/tui")):
                missing.append(f"{document.name}: {name}")
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
            if not (document.parent / link).exists():
                missing.append(f"{document.name}: {link}")
    assert len(DOCUMENTS) > 15
    assert missing == []


def test_architecture_stays_short() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split()) <= 2500
