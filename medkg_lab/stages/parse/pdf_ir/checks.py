"""What values from a converter's file must be: checked where a wrong one would lose text, tolerated where it would not."""

from typing import Any

from medkg_lab.stages.parse.errors import UnknownPdfIr

MAX_PAGES = 100_000
_PER_MILLE_FACTOR = 1000.0


def page_number(value: Any, where: str) -> int:
    """A page's number, from 0. Raises UnknownPdfIr."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_PAGES:
        raise UnknownPdfIr(detail=f"{where} has the page_idx {str(value)[:40]!r}")
    return value


def text_of(value: Any) -> str:
    """A text, or what stands for none. Raises UnknownPdfIr for a value of another type."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnknownPdfIr(detail=f"a text is a {type(value).__name__}")
    return value


def strings(value: Any) -> list[str]:
    """A list of texts, or one text alone. Raises UnknownPdfIr for a value of another type."""
    return (
        [text_of(item) for item in value] if isinstance(value, list) else [text for text in (text_of(value),) if text]
    )


def thousandths(box: Any) -> list[float] | None:
    """A box in fractions of the page, from one in thousandths; None when there is none."""
    return scaled(box, _PER_MILLE_FACTOR, _PER_MILLE_FACTOR)


def scaled(box: Any, width: float, height: float) -> list[float] | None:
    """A box in fractions of a page of that size; None when it is not a box or the page has no size."""
    if not isinstance(box, list) or len(box) != 4 or width <= 0 or height <= 0:
        return None
    if not all(isinstance(edge, int | float) and not isinstance(edge, bool) for edge in box):
        return None
    x0, y0, x1, y1 = box
    return [x0 / width, y0 / height, x1 / width, y1 / height]
