"""The running text of JATS elements: markup dropped, formulas and references kept, words never glued together."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from medkg_lab.stages.parse.latex import latex_piece, latex_text
from medkg_lab.stages.parse.mathml import math_text
from medkg_lab.stages.parse.scripts import continues_marks, mark, subscript, superscript, with_brackets
from medkg_lab.stages.parse.text import squeeze, words
from medkg_lab.stages.parse.xml import Element, child, entity_text, local_name

INLINE = words(
    """abbrev abbreviation bold chem-struct collab email ext-link fixed-case inline-formula inline-graphic
    inline-supplementary-material italic milestone-end milestone-start monospace named-content overline private-char roman
    sans-serif sc strike styled-content sub sup taxon-name taxon-name-part tex-math math underline uri xref alternatives
    date-in-citation year month day season volume issue fpage lpage page-range elocation-id source article-title chapter-title
    pub-id publisher-name publisher-loc comment edition name surname given-names prefix suffix string-name person-group etal
    collab institution series std trans-title trans-source supplement issn isbn conf-name conf-date conf-loc patent gov size
    role degrees label & inline-media hr index-term object-id part-title issue-title award-id funding-source target
    related-article related-object x volume-id issue-id annotation citation-alternatives rb rt ruby anonymous
    country city state on-behalf-of version data-title era string-date contract-num contract-sponsor access-date time-stamp
    addr-line institution-wrap
    """
)
"""Elements that stand within a line; any other element inside running text separates words."""

_SPACED = words("surname given-names name string-name etal prefix suffix break hr taxon-name-part")
_SILENT = words("object-id index-term")
_TEX_BODY = re.compile(r"\\begin\{document\}(.*?)\\end\{document\}", re.DOTALL)
_NEAR = 80
"""Characters before an element that its reading may depend on."""
_LAST_PIECES = 8
NO_FORMULA = "[formula]"
"""Stands for a formula that the article gives as an image alone."""
_FORMATTING = words("bold italic sub sup sc underline overline monospace styled-content named-content xref &")
_GLUED_FORMULA = re.compile(re.escape(NO_FORMULA) + r"(?=\w)")
_CITED = re.compile(r"[(\[]?\d[\d\s,;–—-]*[)\]]?")
_NOTED = re.compile(r"\(?(?:[a-z]{1,2}|\d{1,2})\)?")
_ENDS_A_WORD = re.compile(r"(?:\w|[\])%\"'”’»]|(?<=\D)[.,;:])$")


def inline_text(element: Element) -> str:
    """The text under `element`, white space squeezed."""
    return _line(_pieces(element, ""))


def own_text(parts: list[Element | str]) -> str:
    """The text of a stretch of a paragraph: strings and inline elements in order."""
    pieces: list[str] = []
    for part in parts:
        pieces += [part] if isinstance(part, str) else _element(part, "".join(pieces[-_LAST_PIECES:]))
    return _line(pieces)


def parted_text(item: Element, skip: Element | None = None) -> str:
    """The text under `item`, whose elements that touch, such as a DOI and a PMID or a city and a country, get a comma between."""
    parts: list[Element | str] = [item.text or ""]
    for part in item:
        if part is not skip:
            if local_name(part) not in _FORMATTING and _touch(parts, part):
                parts.append(", ")
            parts.append(part)
        if part.tail:
            parts.append(part.tail)
    return own_text(parts)


def _touch(parts: list[Element | str], part: Element) -> bool:
    before = parts[-1]
    if isinstance(before, str):
        written = before if before or len(parts) == 1 else ""
        return local_name(part) == "pub-id" and written[-1:].isalnum()
    ends = inline_text(before)[-1:].isalnum() and local_name(before) not in _FORMATTING
    return ends and inline_text(part)[:1].isalnum()


def _line(pieces: Iterable[str]) -> str:
    text = with_brackets("".join(pieces))
    return squeeze(_GLUED_FORMULA.sub(f"{NO_FORMULA} ", text))


def formula_text(element: Element) -> str:
    """A formula's text: from MathML when there is some, else from TeX, else its characters; NO_FORMULA for an image alone."""
    math = next((item for item in element.iter() if local_name(item) == "math"), None)
    if math is not None:
        return squeeze(math_text(math))
    tex = next((item for item in element.iter() if local_name(item) == "tex-math"), None)
    if tex is not None:
        return latex_text(_tex(tex))
    return inline_text(element)


def _pieces(element: Element, before: str) -> Iterator[str]:
    last = before
    if element.text:
        last = last[-_NEAR:] + element.text
        yield element.text
    for item in element:
        for piece in _element(item, last):
            last = last[-_NEAR:] + piece
            yield piece
        if item.tail:
            last = last[-_NEAR:] + item.tail
            yield item.tail


def _element(item: Element, before: str) -> list[str]:
    """The text of one element within a line that so far ends with `before`."""
    name = local_name(item)
    if name in _SILENT:
        return []
    if name in _READERS:
        return [_READERS[name](item, before)]
    text = "".join(_pieces(item, before))
    return [text] if name in INLINE and name not in _SPACED else [" ", text, " "]


def _subscript(item: Element, before: str) -> str:
    return subscript(before, with_brackets("".join(_pieces(item, before))))


def _superscript(item: Element, before: str) -> str:
    text = "".join(_pieces(item, ""))
    if child(item, "xref") is not None and re.match(r"\s*\d", with_brackets(text).strip(" [")):
        return mark(with_brackets(text))
    return superscript(before, with_brackets(text))


def _reference(item: Element, before: str) -> str:
    """A cross-reference; one that touches the word before it, or is raised, is a mark and goes in brackets."""
    raised = len(item) == 1 and local_name(item[0]) == "sup" and not (item.text or "").strip()
    text = "".join(_pieces(item[0] if raised else item, before if not raised else ""))
    written = with_brackets(text).strip()
    kind = item.get("ref-type", "bibr")
    touches = continues_marks(before) or bool(_ENDS_A_WORD.search(before))
    if kind == "bibr" and _CITED.fullmatch(written) and (raised or touches):
        return mark(written)
    if kind in ("fn", "table-fn") and _NOTED.fullmatch(written) and touches:
        return mark(written)
    return superscript(before, written) if raised else text


def _inline_formula(item: Element, before: str) -> str:
    text = "".join(_pieces(item, before))
    if text.strip() or not len(item):
        return text
    return _placeholder(before)


def _placeholder(before: str) -> str:
    return f" {NO_FORMULA}" if before[-1:].isalnum() else NO_FORMULA


def is_lone_image(image: Element) -> bool:
    """Whether an image stands in running text by itself, not as one of the forms of a formula."""
    around = image.getparent()
    return around is not None and local_name(around) in ("p", "td", "th", "title", "italic", "bold")


def _tex(item: Element) -> str:
    """The TeX of a formula, without the document that is made around it."""
    source = item.text or ""
    body = _TEX_BODY.search(source)
    return (body[1] if body else source).strip().removeprefix("\\[").removesuffix("\\]")


_READERS: Mapping[str, Callable[[Element, str], str]] = {
    "&": lambda item, _: entity_text(item),
    "math": lambda item, _: math_text(item),
    "tex-math": lambda item, before: latex_piece(_tex(item), before),
    "chem-struct": _inline_formula,
    "alternatives": lambda item, _: formula_text(item),
    "inline-formula": _inline_formula,
    "inline-graphic": lambda item, before: _placeholder(before) if is_lone_image(item) else "",
    "sub": _subscript,
    "sup": _superscript,
    "xref": _reference,
}
