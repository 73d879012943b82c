"""Articles' XML: bounded size and depth, no entities but HTML's own names, and the ways to move in its tree."""

import html
import re

from lxml import etree

from medkg_lab import xml_source
from medkg_lab.stages.parse.errors import MalformedXml, TooDeep, TooLarge

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 100
"""Levels of nesting; articles have about 25, and readers of the tree recurse."""

_MAX_ERROR_TEXT = 200

Element = etree._Element


def parse_xml(data: bytes) -> Element:
    """The root element, without comments and processing instructions. Raises TooLarge or MalformedXml.

    libxml2 itself refuses text nodes over 10 MB, because `huge_tree` is off. Raises TooDeep past MAX_DEPTH levels.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(size=len(data), limit=MAX_BYTES)
    try:
        root = xml_source.parse_xml(data.lstrip(), text_only=True)
    except xml_source.NotXml as error:
        raise MalformedXml(detail=error.detail[:_MAX_ERROR_TEXT], line=error.line, column=error.column) from None
    _check_depth(root)
    return root


def _check_depth(root: Element) -> None:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise TooDeep(limit=MAX_DEPTH)


def local_name(element: Element) -> str:
    """An element's name without its namespace; an entity reference is `&`."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else "&"


def entity_text(element: Element) -> str:
    """What an entity reference stands for: a character when HTML 5 knows the name, else the reference as it was written."""
    reference = element.text or ""
    return html.unescape(reference) if re.fullmatch(r"&\w{1,40};", reference) else reference


def child(element: Element, *names: str) -> Element | None:
    """The first child called one of `names`."""
    return next((item for item in element if local_name(item) in names), None)


def children(element: Element, *names: str) -> list[Element]:
    """All children called one of `names`."""
    return [item for item in element if local_name(item) in names]


def descend(element: Element | None, *path: str) -> Element | None:
    """The element at the end of `path`, taking the first child of each name; None where a step is missing."""
    for name in path:
        if element is None:
            return None
        element = child(element, name)
    return element
