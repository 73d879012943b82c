"""MeSH as tab-separated tables: headings or tree numbers with a header line, or the lab's own vocabulary format."""

import csv
from collections.abc import Iterable, Iterator

from medkg_lab.mesh.record import Record

_ID, _NAME, _TREE = "mesh_id", "mesh_name", "mesh_tree_number"


def read_table(lines: Iterable[str]) -> Iterator[Record]:
    """One record per row of a table with the columns mesh_id, mesh_name and perhaps mesh_tree_number.

    Raises ValueError when the columns are others.
    """
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    if not {_ID, _NAME} <= set(rows.fieldnames or ()):
        raise ValueError(f"its first line does not name the columns {_ID} and {_NAME}")
    for row in rows:
        trees = [row[_TREE]] if row.get(_TREE) else []
        yield Record(row[_ID] or "", row[_NAME] or "", trees=trees)
