"""Plain text, Markdown and web pages as Documents: formats that say little of themselves."""

import re
from collections.abc import Iterator

from lxml import etree
from lxml import html as lxml_html
from markdown_it import MarkdownIt

from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.models.identifiers import Scheme, parse
from medkg_lab.stages.parse.builder import Builder, Section
from medkg_lab.stages.parse.errors import EmptyDocument, TooDeep, TooLarge
from medkg_lab.stages.parse.text import words
from medkg_lab.stages.parse.xml import MAX_BYTES, MAX_DEPTH

MAX_HTML_DEPTH = 400
_TITLE_CHARACTERS = 200
_NUMBERED = re.compile(r"^\s{0,8}(?:[-*•‣]|\d{1,2}[.)])\s+")
_HEADING = re.compile(r"(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?\s+)?[A-Z][\w ,&/'()-]{2,80}:?")
_SECTIONS = re.compile(
    r"(?:\d{1,2}\.?\s+)?(?:abstract|summary|background|introduction|objectives?|aims?|methods?|materials and methods|patients and"
    r" methods|results?|findings|discussion|conclusions?|interpretation|limitations|references|acknowledge?ments?|funding|case"
    r" report|case presentation|history|examination|diagnosis|treatment|therapy|medications?|assessment|plan|follow-?up)\s*:?",
    re.IGNORECASE,
)


def read_text(text: str, doc_id: str, source: str) -> Document:
    """Plain text: paragraphs between blank lines, list items, and lines that name a section. Raises EmptyDocument."""
    made = Builder("text")
    section: Section = ()
    for place, lines in _paragraphs(_checked(text)):
        first = lines[0].strip()
        if not made.blocks and len(lines) == 1 and len(first) <= _TITLE_CHARACTERS:
            made.add_title(first, place)
            continue
        if _SECTIONS.fullmatch(first) or (len(lines) == 1 and first.isupper() and _HEADING.fullmatch(first)):
            section = (first.rstrip(": "),)
            made.heading(section, place)
            lines = lines[1:]
        for item, text_of_item in _items(lines):
            made.add(BlockKind.LIST_ITEM if item else BlockKind.PARAGRAPH, text_of_item, section, place)
    return made.document(doc_id, source)


def _paragraphs(text: str) -> Iterator[tuple[str, list[str]]]:
    """Runs of lines between blank ones, with the number of their first line."""
    lines: list[str] = []
    start = 1
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.strip():
            start = start if lines else number
            lines.append(line)
        elif lines:
            yield f"line/{start}", lines
            lines = []


def _items(lines: list[str]) -> list[tuple[bool, str]]:
    items: list[tuple[bool, list[str]]] = []
    for line in lines:
        bullet = _NUMBERED.match(line)
        if bullet or not items:
            items.append((bullet is not None, [line[bullet.end() :] if bullet else line]))
        else:
            items[-1][1].append(line)
    return [(is_item, " ".join(parts)) for is_item, parts in items]


def read_markdown(text: str, doc_id: str, source: str) -> Document:
    """Markdown (CommonMark with tables), by its HTML. Raises EmptyDocument, TooLarge."""
    body = re.sub(r"\A---\n.*?\n---\n", "", _checked(text).replace("\r\n", "\n"), count=1, flags=re.DOTALL)
    rendered = MarkdownIt("commonmark", {"html": False}).enable("table").render(body)
    return _read_html(f"<body>{rendered}</body>", doc_id, source, "Markdown text")


def read_html(text: str, doc_id: str, source: str) -> Document:
    """A web page: headings, paragraphs, lists and tables of its main part, and what its meta tags say of an article.

    Meta tags: https://scholar.google.com/intl/en/scholar/inclusion.html#indexing . Raises EmptyDocument, TooDeep, TooLarge.
    """
    return _read_html(re.sub(r"\A\s*<\?xml[^>]*\?>", "", _checked(text)), doc_id, source, "web page")


def _checked(text: str) -> str:
    if len(text) > MAX_BYTES:
        raise TooLarge(size=len(text), limit=MAX_BYTES)
    return text


def _read_html(text: str, doc_id: str, source: str, what: str) -> Document:
    made = Builder(what)
    try:
        root = lxml_html.document_fromstring(text, parser=lxml_html.HTMLParser(huge_tree=False, no_network=True))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        raise EmptyDocument(what=what, detail="there is no element") from None
    if language := (root.get("lang") or "").strip().lower():
        made.language = language
    _read_meta(made, root)
    for item in list(root.iter(*_SILENT)):
        if isinstance(item, lxml_html.HtmlElement) and item.getparent() is not None:
            item.drop_tree()
    main = next(root.iter("main", "article"), root)
    _Reader(made, root.getroottree()).walk(main, 0)
    return made.document(doc_id, source)


def _read_meta(made: Builder, root: lxml_html.HtmlElement) -> None:
    given: dict[str, list[str]] = {}
    for item in root.iter("meta"):
        name = (item.get("name") or item.get("property") or "").lower()
        given.setdefault(name, []).append((item.get("content") or "").strip())
    for name, scheme in (("citation_doi", Scheme.DOI), ("dc.identifier", Scheme.DOI), ("citation_pmid", Scheme.PMID)):
        one = parse(next(iter(given.get(name, ())), ""))
        if one is not None and one.scheme is scheme:
            made.identifiers.setdefault(str(scheme), one.value)
    made.put("journal", next(iter(given.get("citation_journal_title", ())), ""))
    made.put("authors", list(filter(None, given.get("citation_author", []))))
    dates = [*given.get("citation_publication_date", ()), *given.get("citation_date", ())]
    if dates and dates[0][:4].isdecimal():
        made.metadata["year"] = int(dates[0][:4])
    titles = [*given.get("citation_title", ()), *(item.text_content() for item in root.iter("title"))]
    if titles:
        made.add_title(titles[0], "/html/head/title")


_SILENT = ("script", "style", "noscript", "template", "nav", "form", "svg", "iframe", "head", "aside")
"""Elements without text of the page."""
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS = {
    "p": BlockKind.PARAGRAPH,
    "li": BlockKind.LIST_ITEM,
    "dd": BlockKind.LIST_ITEM,
    "dt": BlockKind.LIST_ITEM,
    "pre": BlockKind.PARAGRAPH,
    "blockquote": BlockKind.PARAGRAPH,
    "figcaption": BlockKind.CAPTION,
    "caption": BlockKind.CAPTION,
}
_CONTAINERS = words(
    """html body div section main article header footer ul ol dl figure table thead tbody tfoot tr td th center fieldset details
    summary address p li dd dt pre blockquote figcaption caption hr h1 h2 h3 h4 h5 h6"""
)


class _Reader:
    """Walks a page's elements; runs of text and inline elements between blocks are paragraphs."""

    def __init__(self, made: Builder, tree: "etree._ElementTree") -> None:
        self._made = made
        self._tree = tree
        self._outline: list[tuple[int, str]] = []

    @property
    def _section(self) -> Section:
        return tuple(name for _, name in self._outline)

    def walk(self, element: lxml_html.HtmlElement, depth: int, kind: BlockKind = BlockKind.PARAGRAPH) -> None:
        """Read everything below `element`. Raises TooDeep."""
        if depth > MAX_HTML_DEPTH:
            raise TooDeep(limit=MAX_HTML_DEPTH)
        run = [element.text or ""]
        for item in element:
            tag = item.tag if isinstance(item.tag, str) else ""
            if tag in _CONTAINERS:
                self._flush(run, kind, element)
                self._block(item, tag, depth, kind)
            elif tag == "br":
                run.append(" ")
            elif tag:
                if any(isinstance(one.tag, str) and one.tag in _CONTAINERS for one in item.iterdescendants()):
                    self._flush(run, kind, element)
                    self.walk(item, depth + 1, kind)
                else:
                    run.append(_piece(item, run[-1]))
            run.append(item.tail or "")
        self._flush(run, kind, element)

    def _block(self, item: lxml_html.HtmlElement, tag: str, depth: int, kind: BlockKind) -> None:
        if tag in _HEADINGS:
            self._heading(item, int(tag[1]))
        elif tag == "table":
            self._table(item, depth)
        else:
            self.walk(item, depth + 1, _BLOCKS.get(tag, kind))

    def _heading(self, item: lxml_html.HtmlElement, level: int) -> None:
        name = " ".join(_inline(item).split())
        if not name:
            return
        if not self._made.title:
            self._made.add_title(name, self._place(item))
        if level == 1 and name == self._made.title:
            return
        while self._outline and self._outline[-1][0] >= level:
            self._outline.pop()
        self._outline.append((level, name))
        self._made.heading(self._section, self._place(item))

    def _table(self, table: lxml_html.HtmlElement, depth: int) -> None:
        for caption in table.iterchildren("caption"):
            self._made.add(BlockKind.CAPTION, _inline(caption), self._section, self._place(caption))
        cells = [[cell for cell in row if cell.tag in ("td", "th")] for row in table.iter("tr")]
        if next(table.iterdescendants("table"), None) is not None:
            # A table around tables lays out a page.
            for cell in (one for row in cells for one in row if next(one.iterancestors("table")) is table):
                self.walk(cell, depth + 1)
            return
        headers = 0
        while headers < len(cells) and cells[headers] and all(cell.tag == "th" for cell in cells[headers]):
            headers += 1
        texts = [tuple(_inline(cell) for cell in row) for row in cells]
        self._made.add_table(texts, headers, self._section, self._place(table))

    def _flush(self, run: list[str], kind: BlockKind, element: lxml_html.HtmlElement) -> None:
        self._made.add(kind, "".join(run), self._section, self._place(element))
        run[:] = [""]

    def _place(self, element: lxml_html.HtmlElement) -> str:
        return str(self._tree.getpath(element))


_INLINE_SPACED = frozenset({"br", "td", "th", "tr", "li", "p", "div"})
_POWER = re.compile(r"\d\s*$")
_EXPONENT = re.compile(r"[−–+-]?\d+")
_NEAR = 256
"""Characters before a superscript that are looked at."""


def _inline(element: lxml_html.HtmlElement, depth: int = 0) -> str:
    """The text inside an element. Raises TooDeep."""
    if depth > MAX_DEPTH:
        raise TooDeep(limit=MAX_DEPTH)
    text = element.text or ""
    for item in element:
        if isinstance(item.tag, str):
            text += _piece(item, text, depth + 1)
        text += item.tail or ""
    return text


def _piece(item: lxml_html.HtmlElement, before: str, depth: int = 0) -> str:
    """The text of an element within a line that so far ends with `before`; a superscript number behind a digit is a power."""
    inner = _inline(item, depth)
    if item.tag == "sup" and _EXPONENT.fullmatch(inner.strip()) and _POWER.search(before[-_NEAR:]):
        return f"^{inner.strip()}"
    return f" {inner} " if item.tag in _INLINE_SPACED else inner
