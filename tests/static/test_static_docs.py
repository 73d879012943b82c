"""The documentation builds without a warning, its commands parse, and its Python is Python that names what there is."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from medkg_lab.topology.models import StageDefinition
from tests.static.test_static_readme import ROOT, commands, complaint

PAGES = sorted((ROOT / "docs").rglob("*.md"))
GUIDES = [page for page in PAGES if page.parent.name in ("tutorial", "how-to", "explanation", "docs")]
COMMANDS = sorted(
    {(page.name, words) for page in GUIDES for words in commands(page.read_text("utf-8")) if words[0] == "medkg-lab"}
)
INLINE = re.compile(r"`medkg-lab ([a-z][^`|]*)`")
PYTHON = [
    (page.name, block)
    for page in (*GUIDES, ROOT / "README.md")
    for block in re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "tutorial" / "first-hour.html").exists()


def test_every_page_is_in_the_navigation() -> None:
    shown = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    inner = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.parent.name != "decisions"}
    assert inner - shown == set()


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda one: " ".join(one) if isinstance(one, tuple) else one)
def test_a_command_of_the_documentation_parses(
    page: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint(words[1:], capsys) == ""


def test_commands_within_sentences_exist(capsys: pytest.CaptureFixture[str]) -> None:
    for page in GUIDES:
        for text in INLINE.findall(page.read_text("utf-8")):
            words = [word for word in text.split() if word.islower() and not word.startswith("-")][:2]
            assert "invalid choice" not in complaint((*words[:2], "--help"), capsys), (page.name, text)


@pytest.mark.parametrize(("page", "block"), PYTHON, ids=lambda one: one if one.endswith(".md") else "")
def test_python_of_the_documentation_imports_what_there_is(page: str, block: str) -> None:
    tree = ast.parse(block.replace("…", "x"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("medkg_lab"):
            module = importlib.import_module(node.module or "")
            assert all(hasattr(module, one.name) for one in node.names)
    assert tree.body


def test_gates_in_the_documentation_are_stages() -> None:
    text = (ROOT / "docs" / "how-to" / "pipelines-and-gates.md").read_text("utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (stage,) = yaml.safe_load(block)
    assert StageDefinition.model_validate(stage).is_gate
