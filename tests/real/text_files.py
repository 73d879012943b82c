"""Reading the shared documents for the text tests."""

import re
import unicodedata
from functools import cache
from pathlib import Path

from medkg_lab.models.documents import Document
from medkg_lab.stages.parse.auto import parse


def files(shared_data: Path, *folders: str) -> list[Path]:
    """All files below the folders, in order; the test fails when there are none."""
    found = sorted(path for folder in folders for path in (shared_data / folder).rglob("*") if path.is_file())
    assert found, f"nothing in {folders}"
    return found


@cache
def read(path: Path) -> Document:
    """Parse one file."""
    return parse(path.read_bytes(), f"real:{path.stem}", "real")


def letters(text: str) -> str:
    """Only the letters and digits of `text`, in lower case."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", text)).lower()
