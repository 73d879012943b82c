"""XML from outside, read so that it can do no harm: no DTD, no network, no entity expansion, libxml2's size and depth limits."""

from lxml import etree


class NotXml(ValueError):
    """The bytes are not well-formed XML."""


def parse_xml(data: bytes) -> etree._Element:
    """Parse `data` and return its root. Raises NotXml."""
    parser = etree.XMLParser(
        load_dtd=False, no_network=True, resolve_entities=False, dtd_validation=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotXml(" ".join(str(error).split())) from None
    if root is None:
        raise NotXml("there is no element")
    return root


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace; empty for comments and processing instructions."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def text_of(element: etree._Element | None) -> str:
    """All text inside `element`, with runs of white space made one space."""
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())
