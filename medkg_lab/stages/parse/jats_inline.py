"""The running text of JATS elements: markup dropped, formulas and references kept, words never glued together."""

import re
from collections.abc import Iterator

from medkg_lab.stages.parse.mathml import math_text
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
    """
)
"""Elements that stand within a line; any other element inside running text separates words."""

_SPACED = words("surname given-names name string-name etal prefix suffix break hr taxon-name-part")
_SILENT = words("object-id index-term")
_TEX_BODY = re.compile(r"\\begin\{document\}(.*?)\\end\{document\}", re.DOTALL)
_POWER = re.compile(r"\d\s*$")
_NEAR = 256
"""Characters before a superscript that are looked at."""
_EXPONENT = re.compile(r"^[−–+-]?\d+$")


def inline_text(element: Element) -> str:
    """The text under `element`, white space squeezed."""
    return squeeze("".join(_pieces(element, "")))


def own_text(parts: list[Element | str]) -> str:
    """The text of a stretch of a paragraph: strings and inline elements in order."""
    pieces: list[str] = []
    for part in parts:
        pieces += [part] if isinstance(part, str) else _element(part, pieces[-1] if pieces else "")
    return squeeze("".join(pieces))


def formula_text(element: Element) -> str:
    """A formula's text: from MathML when there is some, else from TeX, else what characters it has."""
    math = next((item for item in element.iter() if local_name(item) == "math"), None)
    if math is not None:
        return squeeze(math_text(math))
    tex = next((item for item in element.iter() if local_name(item) == "tex-math"), None)
    if tex is not None:
        return _tex(tex)
    return inline_text(element)


def _pieces(element: Element, before: str) -> Iterator[str]:
    last = before
    if element.text:
        last = element.text
        yield element.text
    for item in element:
        for piece in _element(item, last):
            last = piece or last
            yield piece
        if item.tail:
            last = item.tail
            yield item.tail


def _element(item: Element, before: str) -> list[str]:
    """The text of one element within a line that so far ends with `before`."""
    name = local_name(item)
    if name == "&":
        return [entity_text(item)]
    if name in _SILENT:
        return []
    if name == "math":
        return [math_text(item)]
    if name == "tex-math":
        return [_tex(item)]
    if name == "alternatives":
        return [formula_text(item)]
    if name == "sup":
        return [_superscript(item, before)]
    text = "".join(_pieces(item, before))
    return [text] if name in INLINE and name not in _SPACED else [" ", text, " "]


def _superscript(item: Element, before: str) -> str:
    """A citation number in brackets, a power after `^`, anything else as it is: `cells [12]`, `10^-3`, `Ca2+`."""
    text = squeeze("".join(_pieces(item, "")))
    if child(item, "xref") is not None and re.match(r"\d", text):
        return f" [{text}]"
    return f"^{text}" if _POWER.search(before[-_NEAR:]) and _EXPONENT.match(text) else text


def _tex(item: Element) -> str:
    source = item.text or ""
    body = _TEX_BODY.search(source)
    return squeeze((body[1] if body else source).replace("$$", " "))
