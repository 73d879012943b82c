"""XML from outside, read so that it can do no harm: no DTD, no network, no entity expansion, libxml2's limits on size and depth.

The one reader of XML: sources, stages and MeSH use it, and turn NotXml into what their users understand.
"""

from collections.abc import Iterator
from typing import IO

from lxml import etree

Element = etree._Element
_BEGINNING_BYTES = 65_536


class NotXml(ValueError):
    """The bytes are not well-formed XML: `detail` on one line, `line` and `column` from 1, 0 where libxml2 knows none."""

    def __init__(self, detail: str, line: int = 0, column: int = 0) -> None:
        self.detail = " ".join(detail.split())
        self.line = line
        self.column = column
        super().__init__(f"line {line}, column {column}: {self.detail}" if line else self.detail)


def parse_xml(data: bytes, text_only: bool = False) -> Element:
    """Parse `data` and return its root; with `text_only` without comments and processing instructions. Raises NotXml."""
    parser = etree.XMLParser(
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        resolve_entities=False,
        huge_tree=False,
        recover=False,
        remove_comments=text_only,
        remove_pis=text_only,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise _not_xml(error) from None
    except ValueError as error:
        raise NotXml(str(error)) from None


def walk(file: IO[bytes], tags: tuple[str, ...]) -> Iterator[Element]:
    """Each element with one of `tags`, as soon as it is read and forgotten after that; without comments. Raises NotXml."""
    read = etree.iterparse(
        file,
        events=("end",),
        tag=tags,
        load_dtd=False,
        no_network=True,
        resolve_entities=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for _, element in read:
            yield element
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]
    except etree.XMLSyntaxError as error:
        raise _not_xml(error) from None


def root_name(data: bytes) -> str:
    """The local name of an XML document's first element, read from its beginning alone; empty when there is none."""
    parser = etree.XMLPullParser(events=("start",), load_dtd=False, no_network=True, resolve_entities=False)
    try:
        parser.feed(data[:_BEGINNING_BYTES])
        return next((local_name(one) for _, one in parser.read_events() if isinstance(one, etree._Element)), "")
    except etree.XMLSyntaxError:
        return ""


def local_name(element: Element) -> str:
    """The element's name without its namespace; empty for comments, processing instructions and entity references."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def text_of(element: Element | None) -> str:
    """All text inside `element`, with runs of white space made one space."""
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())


def _not_xml(error: etree.XMLSyntaxError) -> NotXml:
    line, column = error.position
    return NotXml((error.msg or "there is no element").partition(", line ")[0], line, column)
