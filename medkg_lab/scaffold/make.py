"""Making the package: the templates beside this module, with the name put in."""

import re
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.files import write_private

TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z]+(-[a-z]+)*")
_SUFFIX = ".tmpl"
"""Templates are not Python for the tools that look at this package."""


class Template(StrEnum):
    """What there is a template for."""

    STAGE = "stage"
    SOURCE = "source"
    PIPELINE = "pipeline"


class NameUnusable(LabError):
    """{name!r} cannot be the name of a {what}. Use lower-case words with hyphens between them, such as drop-repeats."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class FolderTaken(LabError):
    """{folder} is there already, and nothing of it was changed. Choose another name or folder."""

    exit_code: ClassVar[int] = exit_codes.USAGE


def make(template: Template, name: str, parent: Path) -> list[Path]:
    """Write the files of a new plug-in called `name` into a new folder below `parent`. Raises NameUnusable and FolderTaken."""
    if not _NAME.fullmatch(name) or len(name) > 40:
        raise NameUnusable(name=name, what=template.value)
    folder = parent / f"medkg-{name}"
    if folder.exists():
        raise FolderTaken(folder=folder)
    words = {
        "__NAME__": name,
        "__MODULE__": f"medkg_{name.replace('-', '_')}",
        "__SNAKE__": name.replace("-", "_"),
        "__CLASS__": "".join(word.capitalize() for word in name.split("-")),
    }
    made = []
    for source in sorted((TEMPLATES / template.value).rglob(f"*{_SUFFIX}")):
        inner = _filled(str(source.relative_to(TEMPLATES / template.value)).removesuffix(_SUFFIX), words)
        path = folder / inner
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, _filled(source.read_text(encoding="utf-8"), words))
        made.append(path)
    return made


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text
