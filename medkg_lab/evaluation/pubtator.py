"""Annotated abstracts from a file in the PubTator format."""

from collections.abc import Iterator
from pathlib import Path

from medkg_lab.evaluation.errors import DatasetUnreadable
from medkg_lab.evaluation.lines import text_lines
from medkg_lab.mesh.pubtator import Abstract, read_abstracts


def read_pubtator(path: Path) -> Iterator[Abstract]:
    """The abstracts of a corpus. Raises DatasetUnreadable, also when an offset does not fit the text."""
    try:
        yield from read_abstracts(text_lines(path, "PubTator"))
    except ValueError as error:
        raise DatasetUnreadable(path=path, part="PubTator", detail=str(error)) from None
