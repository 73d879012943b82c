"""The script that makes the demo PDFs gives the bundled bytes again, and refuses sources that it cannot show."""

import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "bundled_pipelines" / "demo"
SCRIPT = ROOT / "scripts" / "make_demo_documents.py"
SOURCES = ROOT / "scripts" / "demo_sources"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the script has written everything."""
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run([sys.executable, str(SCRIPT), "--out", str(folder)], check=True, capture_output=True, timeout=100)
    return folder


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.pdf")}


def test_the_script_makes_exactly_the_bundled_pdfs(made: Path) -> None:
    assert written(made) == written(DEMO)
    for name in written(made):
        assert (made / name).read_bytes() == (DEMO / name).read_bytes(), name


def test_the_locked_paper_opens_with_the_documented_password() -> None:
    with pypdfium2.PdfDocument(DEMO / "broken" / "encrypted.pdf", password="open-sesame") as paper:
        assert "Dapagliflozin" in paper[0].get_textpage().get_text_bounded()


def test_columns_are_read_one_after_the_other() -> None:
    with pypdfium2.PdfDocument(DEMO / "papers" / "dapagliflozin-hfpef.pdf") as paper:
        text = paper[0].get_textpage().get_text_bounded() + paper[1].get_textpage().get_text_bounded()
    order = [
        text.index(words) for words in ("Introduction", "Design and participants", "Statistical analysis", "Safety")
    ]
    assert order == sorted(order)


def run_with_source(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script beside one source file of our own."""
    scripts = tmp_path / "scripts"
    (scripts / "demo_sources").mkdir(parents=True)
    (scripts / SCRIPT.name).write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    (scripts / "demo_sources" / "dapagliflozin-hfpef.md").write_text(text, encoding="utf-8")
    command = [sys.executable, str(scripts / SCRIPT.name), "--out", str(tmp_path / "out")]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("## Abstract", "## Summary", "begins with the heading"),
        ("Callum Orrbeck", "Călin Orrbeck", "the standard fonts have no"),
        ("doi: 10.5555/aic.2024.0211\n", "", "missing 1 required"),
    ],
)
def test_a_source_that_cannot_be_shown_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    source = (SOURCES / "dapagliflozin-hfpef.md").read_text(encoding="utf-8")
    assert old in source
    result = run_with_source(tmp_path, source.replace(old, new))
    assert result.returncode == 1
    assert complaint in result.stderr
    assert not (tmp_path / "out").exists()
