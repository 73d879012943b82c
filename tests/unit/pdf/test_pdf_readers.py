"""Reading middle JSON: order, sections, tables, margins, and shapes that nobody promised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.models.documents import BlockKind
from medkg_lab.stages.parse.errors import UnknownPdfIr
from medkg_lab.stages.parse.pdf_ir.middle import HIDDEN_TEXT, PdfSource, read_middle
from medkg_lab.stages.parse.pdf_ir.tables import read_table, table_text
from medkg_lab.stages.parse.pdf_ir.text import BREAK, inline, join, normalize, readable


def text(content):
    return [{"type": "text", "content": content, "styles": []}]


def block(kind, content, index=0, **more):
    if isinstance(content, str) and kind not in ("equation", "table_body", "code_body"):
        content = text(content)
    return {"type": kind, "index": index, "bbox": [0.1, 0.2, 0.3, 0.4], "content": content, **more}


def middle(*pages, document=None, **more):
    return {
        "schema": "docvortex.middle",
        "schema_version": "2.0",
        "metadata": {"file_suffix": "pdf", "document": document or {}},
        "pages": [{"page_idx": number, "blocks": list(blocks)} for number, blocks in enumerate(pages)],
        **more,
    }


def read(*pages, pages_in_all=None, blank=(), **more):
    source = PdfSource("file:a/b.pdf", "b.pdf", pages_in_all or len(pages), frozenset(blank), "docvortex", "0.6.4")
    return read_middle(middle(*pages, **more), source)


def shape(reading):
    return [(block.kind.value, block.text, block.section) for block in reading.document.blocks]


def test_headings_make_sections():
    reading = read(
        [
            block("header", "Journal"),
            block("doc_title", "A title", level=1),
            block("paragraph_title", "Abstract", level=2),
            block("text", "In short."),
            block("paragraph_title", "2. Methods", level=2),
            block("paragraph_title", "2.1. Patients", level=2),
            block("text", "Who."),
            block("paragraph_title", "3. Results", level=2),
            block("text", "What."),
            block("paragraph_title", "References", level=2),
            block("text", "[1] One."),
            block("page_number", "1"),
        ]
    )
    assert shape(reading) == [
        ("title", "A title", ()),
        ("heading", "Abstract", ("Abstract",)),
        ("abstract", "In short.", ("Abstract",)),
        ("heading", "2. Methods", ("2. Methods",)),
        ("heading", "2.1. Patients", ("2. Methods", "2.1. Patients")),
        ("paragraph", "Who.", ("2. Methods", "2.1. Patients")),
        ("heading", "3. Results", ("3. Results",)),
        ("paragraph", "What.", ("3. Results",)),
        ("heading", "References", ("References",)),
        ("reference", "[1] One.", ("References",)),
    ]
    assert reading.document.title == "A title"
    assert reading.document.source == "file"
    assert reading.missing_pages == ()


def test_text_goes_on_over_floats_and_pages():
    reading = read(
        [block("text", "The treat-", index=3)],
        [
            block(
                "table", [block("table_caption", "Table 1"), block("table_body", "<table><tr><td>x</td></tr></table>")]
            ),
            block("text", "ment went on.", continues_prev=True),
            block("text", "Next.", continues_prev=None),
        ],
    )
    assert [text for _, text, _ in shape(reading)] == ["The treatment went on.", "Table 1", "x", "Next."]
    first = reading.document.blocks[0].place
    assert (first.page, first.element, first.bbox) == (1, "page/1/block/3", (0.1, 0.2, 0.3, 0.4))


def test_floats_lists_and_formulas():
    reading = read(
        [
            block("image", [block("image_body", [], index=1), block("image_caption", "Figure 1", index=2)], index=1),
            block("list", [block("text", "one"), block("list", [block("text", "two")]), block("ref_text", "three")]),
            block("equation", "E = mc^2"),
            block("code", [block("code_body", "x = 1"), block("code_caption", "Listing")]),
            block("page_footnote", "Note."),
            block("sparkle", "odd"),
            block("text", []),
            block("text", "  "),
        ]
    )
    assert [(kind, text) for kind, text, _ in shape(reading)] == [
        ("caption", "Figure 1"),
        ("list_item", "one"),
        ("list_item", "two"),
        ("reference", "three"),
        ("formula", "E = mc^2"),
        ("paragraph", "x = 1"),
        ("caption", "Listing"),
        ("paragraph", "Note."),
        ("paragraph", "odd"),
    ]
    assert reading.document.warnings == ("a block of the unknown type sparkle was read as text",)


def test_inline_spans_of_every_kind():
    link = {"type": "hyperlink", "url": "https://x", "content": text("here")}
    formula = {"type": "equation_inline", "content": "x^2"}
    assert inline([*text("see "), link, *text(" and "), formula]) == "see here and x^2"


def test_pages_without_text_are_missing_unless_blank():
    page_with_nothing_readable = [block("text", "\ue000\ue001\ue002 a")]
    reading = read([block("text", "One.")], [], page_with_nothing_readable, [], blank={4}, pages_in_all=5)
    assert reading.missing_pages == (2, 3, 5)


def test_page_with_margins_only_is_not_missing():
    reading = read([block("text", "One.")], [block("header", "Journal"), block("image", [block("image_body", [])])])
    assert reading.missing_pages == ()
    assert len(reading.document.blocks) == 1


def test_document_of_nothing_but_margins_keeps_them():
    reading = read([block("header", "Potato 1")], [block("header", "Potato 2")])
    assert [text for _, text, _ in shape(reading)] == ["Potato 1", "Potato 2"]


def test_hidden_text_stands_in_for_a_silent_page():
    reading = read(
        [block("text", "One.")], [], extensions={HIDDEN_TEXT: {"2": "Scanned in-\r\nside\r\n\r\nNext", "7": "x"}}
    )
    assert [text for _, text, _ in shape(reading)] == ["One.", "Scanned inside", "Next"]
    assert reading.missing_pages == ()
    assert len(reading.document.warnings) == 1


@pytest.mark.parametrize(
    ("declared", "blocks", "title"),
    [
        ({"title": "8943092.dvi"}, [block("paragraph_title", "Case report", level=2)], "Case report"),
        ({"title": "Microsoft Word - draft"}, [block("text", "x")], "b.pdf"),
        ({"title": " A  declared title "}, [block("text", "x")], "A declared title"),
        ({"title": "Declared"}, [block("doc_title", "Printed", level=1)], "Printed"),
    ],
)
def test_title(declared, blocks, title):
    assert read(blocks, document=declared).document.title == title


def test_declared_properties():
    declared = {"identifiers": ["doi:10.1/x", "isbn:1"], "languages": ["de-CH"], "authors": ["A", " "]}
    document = read([block("text", "x")], document=declared).document
    assert document.identifiers == {"doi": "10.1/x"}
    assert document.language == "de-CH"
    assert document.metadata["authors"] == ["A"]


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "mineru.middle"},
        {"schema_version": "3.0"},
        {"schema_version": None},
        {"pages": {}},
        {"pdf_info": [], "schema": None},
    ],
)
def test_other_formats_are_refused(change):
    with pytest.raises(UnknownPdfIr):
        read([block("text", "x")], **change)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "content", "index", "bbox", "level", "page_idx", "blocks"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)
KINDS = st.sampled_from(
    ["text", "doc_title", "paragraph_title", "list", "table", "image", "equation", "index", "code", "zzz"]
)
BLOCKS = st.fixed_dictionaries({"type": KINDS, "content": JSON}, optional={"bbox": JSON, "index": JSON, "level": JSON})


@given(st.lists(st.lists(BLOCKS | JSON, max_size=4), max_size=3), JSON, JSON)
def test_any_shape_gives_a_document(pages, document, extensions):
    reading = read(*pages, document=document, extensions=extensions, pages_in_all=3)
    for found in reading.document.blocks:
        assert found.text.strip()
        assert found.kind is not BlockKind.TABLE or found.table is not None


def test_table_with_spans_and_header():
    html = (
        "<table><thead><tr><th rowspan='2'>Group</th><th colspan=2>Dose</th></tr><tr><th>low</th><th>high</th></tr></thead>"
        "<tbody><tr><td>A<br>1</td><td>5&nbsp;&plusmn; 1<sup>*</sup></td><td></td></tr></tbody></table>"
    )
    table = read_table(html)
    assert table.rows == (("Group", "Dose", ""), ("", "low", "high"), ("A 1", "5 ± 1*", ""))
    assert table.header_rows == 2
    assert table_text(table).splitlines()[1] == " | low | high"


@pytest.mark.parametrize(
    "html", ["", "<table></table>", "<table><tr><td> </td></tr></table>", "<td rowspan=x colspan=-1></td>"]
)
def test_table_without_text(html):
    assert read_table(html) is None


PIECES = st.sampled_from(
    [
        "<tr>",
        "</tr>",
        "<td>",
        "<td colspan=3>",
        "<td rowspan=2>",
        "<th>",
        "</td>",
        "<thead>",
        "</thead>",
        "x",
        "<b",
        "&",
    ]
)


@given(st.lists(PIECES, max_size=30))
def test_any_table_has_rows_of_equal_length(pieces):
    table = read_table("".join(pieces))
    if table is not None:
        assert len({len(row) for row in table.rows}) == 1
        assert table.header_rows <= len(table.rows)


def test_mending():
    assert (
        normalize("𝛽-cells  at 𝑝\u00a0< 0.05, e\ufb03cient co\u00adoperation")
        == "β-cells at p < 0.05, efficient cooperation"
    )
    assert normalize("10 m²") == "10 m²"
    assert normalize("Charite\u0301") == "Charité"
    assert join("insulin-", "secreting") == f"insulin{BREAK}secreting"
    assert join("and -", "DR") == "and - DR"
    assert join("one", "two") == "one two"


@given(st.text())
def test_mending_again_changes_nothing(given_text):
    assert normalize(normalize(given_text)) == normalize(given_text)


def test_readable():
    assert readable("words, 5 ± 1")
    assert not readable("")
    assert not readable(" \n")
    assert not readable("\ue001\ue002\ufffd.")
