"""The blocks of a JATS article in reading order: nothing with text in it is passed over.

Elements that are known have a rule; any other is a paragraph when text stands directly in it, and else a container.
Tag library: https://jats.nlm.nih.gov/archiving/tag-library/
"""

from collections.abc import Callable, Mapping

from medkg_lab.models.documents import Block, BlockKind, Place, Table
from medkg_lab.stages.limits import Size
from medkg_lab.stages.parse.jats_inline import INLINE, NO_FORMULA, formula_text, inline_text, own_text, parted_text
from medkg_lab.stages.parse.jats_table import read_table
from medkg_lab.stages.parse.paths import Paths
from medkg_lab.stages.parse.text import squeeze, table_text, words
from medkg_lab.stages.parse.xml import Element, child, children, local_name

Section = tuple[str, ...]

_BLOCKS = words(
    """list def-list disp-formula disp-formula-group fig fig-group table-wrap table-wrap-group disp-quote boxed-text
    supplementary-material media preformat code statement verse-group speech array table p sec chem-struct-wrap fn-group
    ref-list caption"""
)
"""Elements that end the running text of a paragraph around them."""

_SILENT = words("object-id graphic inline-graphic sec-meta title label")
_DEFAULT_TITLES: Mapping[str, str] = {
    "ack": "Acknowledgments",
    "ref-list": "References",
    "fn-group": "Footnotes",
    "glossary": "Glossary",
    "bio": "Biography",
    "app": "Appendix",
}


class BodyReader:
    """Collects the blocks of one article; `paragraph_kind` is what running text becomes."""

    def __init__(self, paths: Paths) -> None:
        self.blocks: list[Block] = []
        self.paragraph_kind = BlockKind.PARAGRAPH
        self._paths = paths
        self._size = Size()
        self._rules: Mapping[str, Callable[[Element, Section], None]] = {
            "p": self._paragraph,
            "list": self._list,
            "def-list": self._definitions,
            "disp-formula": self._formula,
            "chem-struct-wrap": self._formula,
            "table-wrap": self._table_wrap,
            "table": self._table,
            "array": self._table,
            "caption": self._caption_alone,
            "ref": self._reference,
            "fn": self._footnote,
        }

    def walk(self, element: Element, section: Section) -> None:
        """Read the children of `element` as blocks of `section`."""
        for item in element:
            self.read(item, section)

    def read(self, item: Element, section: Section) -> None:
        """Read one element as blocks of `section`."""
        name = local_name(item)
        if name in _SILENT:
            return
        if rule := self._rules.get(name):
            rule(item, section)
        elif child(item, "caption") is not None:
            self._captioned(item, section)
        elif child(item, "title", "label") is not None or name in _DEFAULT_TITLES:
            self.container(item, section, _DEFAULT_TITLES.get(name, ""))
        elif _is_running_text(item):
            self._paragraph(item, section)
        else:
            self.walk(item, section)

    def container(self, item: Element, section: Section, default: str = "") -> None:
        """Read an element that may have a heading; what is in it is one level deeper then."""
        parts = [inline_text(part) for part in children(item, "label", "title")]
        title = squeeze(" ".join(parts)) or default
        deeper = (*section, title) if title else section
        heading = child(item, "title")
        if title:
            self.add(BlockKind.HEADING, title, deeper, heading if heading is not None else item)
        self.walk(item, deeper)

    def add(self, kind: BlockKind, text: str, section: Section, element: Element, table: Table | None = None) -> None:
        """Add a block unless its text is empty. Raises TooManyBlocks and TooMuchText."""
        if text:
            place = Place(element=self._paths.of(element))
            block = Block(kind=kind, text=text, section=section, place=place, table=table)
            self._size.add(block)
            self.blocks.append(block)

    def _paragraph(self, item: Element, section: Section, kind: BlockKind | None = None, prefix: str = "") -> None:
        """Running text; a block within it (a list, a displayed formula) stands between the parts before and after it."""
        chosen = kind or self.paragraph_kind
        parts: list[Element | str] = [prefix, item.text or ""]
        for part in item:
            if local_name(part) in _BLOCKS:
                self.add(chosen, own_text(parts), section, item)
                parts = []
                if local_name(part) == "p":
                    self._paragraph(part, section, kind)
                else:
                    self.read(part, section)
            else:
                parts.append(part)
            parts.append(part.tail or "")
        self.add(chosen, own_text(parts), section, item)

    def _list(self, item: Element, section: Section) -> None:
        for entry in item:
            if local_name(entry) == "list-item":
                label = child(entry, "label")
                self._list_item(entry, section, inline_text(label) + " " if label is not None else "")
            elif local_name(entry) in ("title", "label"):
                self.add(self.paragraph_kind, inline_text(entry), section, entry)
            else:
                self.read(entry, section)

    def _list_item(self, entry: Element, section: Section, prefix: str) -> None:
        for part in entry:
            if local_name(part) == "p":
                self._paragraph(part, section, BlockKind.LIST_ITEM, prefix)
                prefix = ""
            elif local_name(part) != "label":
                self.read(part, section)

    def _definitions(self, item: Element, section: Section) -> None:
        for entry in item:
            if local_name(entry) == "def-item":
                text = ": ".join(filter(None, (inline_text(part) for part in entry)))
                self.add(BlockKind.LIST_ITEM, text, section, entry)
            elif local_name(entry) in ("title", "label", "term-head", "def-head"):
                self.add(self.paragraph_kind, inline_text(entry), section, entry)
            else:
                self.read(entry, section)

    def _formula(self, item: Element, section: Section) -> None:
        label = child(item, "label")
        body = squeeze(" ".join(formula_text(part) for part in item if local_name(part) not in ("label", *_SILENT)))
        number = inline_text(label) if label is not None else ""
        whole = inline_text(item)
        text = whole if not body and whole != number else squeeze(f"{body or NO_FORMULA} {number}")
        self.add(BlockKind.FORMULA, text, section, item)

    def _captioned(self, item: Element, section: Section) -> None:
        """A figure or a supplement: its label and caption are one block, anything else follows."""
        self._caption(item, section)
        for part in item:
            if local_name(part) != "caption":
                self.read(part, section)

    def _caption(self, item: Element, section: Section) -> None:
        parts = [inline_text(part) for part in children(item, "label", "caption")]
        self.add(BlockKind.CAPTION, " ".join(filter(None, parts)), section, item)

    def _caption_alone(self, item: Element, section: Section) -> None:
        self.add(BlockKind.CAPTION, inline_text(item), section, item)

    def _table_wrap(self, item: Element, section: Section) -> None:
        self._caption(item, section)
        for part in item:
            if local_name(part) == "alternatives":
                self.walk(part, section)
            elif local_name(part) != "caption":
                self.read(part, section)

    def _table(self, item: Element, section: Section) -> None:
        table = read_table(item)
        if table is not None:
            self.add(BlockKind.TABLE, table_text(table), section, item, table)

    def _footnote(self, item: Element, section: Section) -> None:
        self.add(self.paragraph_kind, inline_text(item), section, item)

    def _reference(self, item: Element, section: Section) -> None:
        texts = [_citation_text(part) for part in item if local_name(part) not in ("object-id", "x")]
        self.add(BlockKind.REFERENCE, squeeze(" ".join(filter(None, texts))), section, item)


def _is_running_text(item: Element) -> bool:
    direct = [item.text, *(part.tail for part in item)]
    return any(text and text.strip() for text in direct) or all(local_name(part) in INLINE for part in item)


def _citation_text(item: Element) -> str:
    """A citation; one that consists of elements alone gets the commas that its publisher's style sheet would add."""
    if local_name(item) == "citation-alternatives":
        return _citation_text(item[0]) if len(item) else ""
    if local_name(item) == "label":
        return inline_text(item)
    written = any(text and text.strip() for text in (item.text, *(part.tail for part in item)))
    if not written:
        return ", ".join(filter(None, (_citation_part(part) for part in item)))
    return parted_text(item)


def _citation_part(part: Element) -> str:
    if local_name(part) == "person-group":
        return ", ".join(filter(None, (inline_text(person) for person in part)))
    return inline_text(part)
