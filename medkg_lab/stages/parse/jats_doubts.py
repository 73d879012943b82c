"""What of a JATS article has no text, or a text that its reader is not sure of: told as warnings in the document."""

from collections.abc import Iterator

from medkg_lab.stages.parse.jats_inline import inline_text, is_lone_image
from medkg_lab.stages.parse.scripts import is_doubtful
from medkg_lab.stages.parse.xml import Element, child, local_name

_TABLES = frozenset({"table", "tgroup", "array"})
_MATHS = frozenset({"math", "tex-math"})


def find_doubts(article: Element) -> Iterator[str]:
    """Warnings of tables and formulas that are images alone, and of raised numbers that might be powers or references."""
    formulas = powers = 0
    for item in article.iter():
        match local_name(item):
            case "table-wrap":
                below = {local_name(part) for part in item.iter()}
                if "graphic" in below and not below & _TABLES:
                    label = child(item, "label")
                    yield f"{inline_text(label) if label is not None else 'a table'} is an image: its cells are not in the text"
            case "inline-formula" | "disp-formula" | "chem-struct":
                formulas += _is_image(item)
            case "inline-graphic":
                formulas += is_lone_image(item)
            case "sup":
                powers += _is_doubtful(item)
    if formulas:
        yield f"{formulas} formulas are images: [formula] stands in their places"
    if powers:
        yield f"{powers} raised numbers after other numbers were read as references: they might be powers"


def _is_image(formula: Element) -> bool:
    names = {local_name(part) for part in formula.iter()}
    return not names & _MATHS and bool(names & {"graphic", "inline-graphic"}) and not _has_text(formula)


def _has_text(formula: Element) -> bool:
    label = child(formula, "label")
    return inline_text(formula) != (inline_text(label) if label is not None else "")


def _is_doubtful(raised: Element) -> bool:
    around = raised.getparent()
    if around is None or local_name(around) == "xref" or child(raised, "xref") is not None:
        return False
    before = raised.getprevious()
    text = around.text if before is None else before.tail
    return is_doubtful(text or "", inline_text(raised))
