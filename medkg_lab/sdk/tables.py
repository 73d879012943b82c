"""Rows of a SELECT, and the data frames that other libraries make of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medkg_lab.environment import extra_command
from medkg_lab.errors import LabError

if TYPE_CHECKING:
    import pandas
    import pyarrow


class FramesMissing(LabError):
    """Tables become data frames by {package}, which is not installed. Install it with
    `{command}`, or use `rows` of the table."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a SELECT gave: column names and rows; `truncated` when there were more rows than the limit."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def column(self, name: str) -> Sequence[Any]:
        """The values of one column. Raises ValueError when there is none of that name."""
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def arrow(self) -> "pyarrow.Table":
        """The table as Arrow has it. Raises FramesMissing."""
        try:
            import pyarrow
        except ImportError:
            raise FramesMissing(package="pyarrow", command=extra_command("frames")) from None
        return pyarrow.table({name: pyarrow.array(self.column(name)) for name in self.columns})

    def pandas(self) -> "pandas.DataFrame":
        """The table as a data frame. Raises FramesMissing."""
        try:
            import pandas
        except ImportError:
            raise FramesMissing(package="pandas", command=extra_command("frames")) from None
        return pandas.DataFrame.from_records(list(self.rows), columns=list(self.columns))
