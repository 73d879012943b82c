"""What a source itself holds, read apart from the parsers that are measured: its words, its tables' cells, its front matter."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lxml import etree

from medkg_lab.stages.parse.text import words

_TOKEN = re.compile(r"[^\W_]+")
_FORMATTING = words(
    """italic bold sub sc underline overline monospace styled-content named-content strike roman sans-serif fixed-case email uri
    ext-link"""
)
"""Elements that may stand within a word."""
_FRONT = words("title-group contrib-group aff author-notes abstract kwd-group funding-group custom-meta-group")
_NOT_FRONT = words("contrib-id role object-id meta-name xref label email degrees address bio")
_MARK = re.compile(r"[\d\s,;.–—−*†‡§¶#()-]*|[a-z]([\s,]+[a-z*])*")
"""What a superscript that is a number of its own or a mark looks like: it never belongs to the word before it."""
_VALUES = words(
    """value spread lowerLimit upperLimit numSubjects numAffected numAtRisk numEvents deathsNumAffected deathsNumAtRisk
    seriousNumAffected seriousNumAtRisk otherNumAffected otherNumAtRisk"""
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def tokens(text: str) -> list[str]:
    """The words and numbers of `text` in lower case, compatible characters made one (NFKC)."""
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).lower())


def name_of(element: etree._Element) -> str:
    """An element's name without its namespace; "" for an entity."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def words_of(root: etree._Element) -> set[str]:
    """The words of a tree in lower case: of each text by itself, and of texts that only formatting parts."""
    found: set[str] = set()
    for element in root.iter():
        if name_of(element) not in _FORMATTING:
            for within in (True, False):
                found.update(token for text in _runs(element, within) for token in tokens(text))
        for text in (element.text, element.tail):
            found.update(tokens(text or ""))
    return found


def _runs(element: etree._Element, with_scripts: bool) -> Iterator[str]:
    """The texts of an element, joined where only formatting, and perhaps a superscript within a word, stands between them."""
    text = element.text or ""
    for item in element:
        name = name_of(item)
        inner = "".join(map(str, item.itertext()))
        if name in _FORMATTING or not name or (name == "sup" and with_scripts and not _MARK.fullmatch(inner.strip())):
            text += inner + (item.tail or "")
        else:
            yield text
            text = item.tail or ""
    yield text


def cells_of(root: etree._Element) -> Counter[str]:
    """The texts of all table cells of a tree, each as often as it stands there: letters and digits alone."""
    names = ("td", "th", "entry")
    cells = (folded("".join(map(str, item.itertext()))) for item in root.iter() if name_of(item) in names)
    return Counter(filter(None, cells))


def folded(text: str) -> str:
    """Only the letters and digits of `text`, in lower case."""
    return "".join(tokens(text))


def front_pieces(article: etree._Element) -> Iterator[str]:
    """The texts of an article's front matter that say something of it or of its authors."""
    meta = article.find("front/article-meta")
    for part in meta if meta is not None else ():
        if name_of(part) in _FRONT:
            yield from _author_texts(part)


def _author_texts(element: etree._Element) -> Iterator[str]:
    if element.get("contrib-type", "author") != "author":
        return
    if element.text and name_of(element) not in _NOT_FRONT:
        yield element.text
    for item in element if name_of(element) not in _NOT_FRONT else ():
        yield from _author_texts(item)
        if item.tail:
            yield item.tail


def values_of(results: Any) -> set[str]:
    """The numbers of a study's results."""
    found: set[str] = set()
    pending: list[tuple[str, Any]] = [("", results)]
    while pending:
        key, one = pending.pop()
        if isinstance(one, dict):
            pending += one.items()
        elif isinstance(one, list):
            pending += [(key, item) for item in one]
        elif key in _VALUES and not isinstance(one, bool):
            found.update(numbers(str(one)))
    return found


def numbers(text: str) -> list[str]:
    """The numbers of a text as they are written."""
    return _NUMBER.findall(text)
