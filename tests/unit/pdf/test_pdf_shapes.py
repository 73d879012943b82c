"""MinerU's files of every version become one representation; a hostile or broken one ends in a typed error."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.errors import DocumentError
from medkg_lab.models.documents import Document
from medkg_lab.stages.parse.auto import parse
from medkg_lab.stages.parse.errors import EmptyDocument, UnknownPdfIr
from medkg_lab.stages.parse.pdf_ir.formats import ConverterFormat, shape_of
from medkg_lab.stages.parse.pdf_ir.middle import PdfSource
from medkg_lab.stages.parse.pdf_ir.reading import read_alone, read_ir

HTML = "<table><tr><th>Arm</th><th>n</th></tr><tr><td>Placebo</td><td>40</td></tr></table>"

CONTENT_LIST_OLD: list[Any] = [
    {"type": "text", "text": "Statins in sepsis", "text_level": 1, "page_idx": 0},
    {"type": "text", "text": "Methods", "text_level": 1, "page_idx": 0},
    {"type": "text", "text": "", "page_idx": 0},
    {"type": "text", "text": "We gave atorvastatin.", "page_idx": 0},
    {"type": "image", "img_path": "images/a.jpg", "img_caption": ["Fig. 1"], "img_footnote": ["n = 80"], "page_idx": 1},
    {"type": "equation", "text": "$$ x = 1 $$", "text_format": "latex", "page_idx": 1},
    {"type": "table", "img_path": "images/b.jpg", "table_caption": ["Table 1"], "table_footnote": [], "page_idx": 2},
]
CONTENT_LIST_NEW: list[Any] = [
    {"type": "header", "text": "A journal", "bbox": [0, 0, 1000, 20], "page_idx": 0},
    {"type": "text", "text": "Statins in sepsis", "text_level": 1, "bbox": [72, 78, 741, 141], "page_idx": 0},
    {"type": "text", "text": "Methods", "text_level": 1, "bbox": [72, 150, 741, 170], "page_idx": 0},
    {"type": "text", "text": "We gave atorvastatin.", "bbox": [72, 180, 741, 200], "page_idx": 0},
    {"type": "discarded", "text": "12", "bbox": [952, 969, 970, 980], "page_idx": 0},
    {"type": "table", "table_caption": ["Table 1"], "table_body": HTML, "bbox": [70, 200, 900, 500], "page_idx": 1},
    {"type": "list", "sub_type": "text", "list_items": ["one", "two"], "bbox": [1, 2, 3, 4], "page_idx": 1},
    {"type": "list", "sub_type": "ref_text", "list_items": ["Smith 2001"], "bbox": [1, 2, 3, 4], "page_idx": 1},
    {"type": "code", "sub_type": "code", "code_caption": ["Listing 1"], "code_body": "x = 1", "page_idx": 1},
    {"type": "hologram", "text": "odd", "page_idx": 1, "sparkle": [1, {"a": 2}]},
]


def _spans(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "content": text}]


CONTENT_LIST_V2: list[Any] = [
    [
        {"type": "page_header", "content": {"page_header_content": _spans("A journal")}, "bbox": [70, 29, 268, 67]},
        {"type": "title", "content": {"title_content": _spans("Statins in sepsis"), "level": 1}, "bbox": [1, 2, 3, 4]},
        {"type": "title", "content": {"title_content": _spans("Methods"), "level": 2}, "bbox": [72, 78, 741, 141]},
        {
            "type": "paragraph",
            "content": {"paragraph_content": _spans("We gave atorvastatin.")},
            "bbox": [72, 180, 741, 200],
        },
    ],
    [],
    [
        {"type": "table", "content": {"table_caption": _spans("Table 1"), "html": HTML}, "bbox": [70, 300, 900, 500]},
        {
            "type": "list",
            "content": {
                "list_type": "text_list",
                "list_items": [
                    {"item_type": "text", "item_content": _spans("one")},
                    {"item_type": "text", "item_content": _spans("two")},
                ],
            },
        },
        {"type": "equation_interline", "content": {"math_content": "x = 1", "math_type": "latex"}},
        {"type": "image", "content": {"image_caption": _spans("Fig. 1"), "image_footnote": _spans("n = 80")}},
    ],
]


def _lines(*texts: str) -> list[dict[str, Any]]:
    return [{"bbox": [0, 0, 1, 1], "spans": [{"type": "text", "content": text}]} for text in texts]


def pdf_info(key: str = "pdf_info", **more: Any) -> dict[str, Any]:
    first = {
        "page_idx": 0,
        "page_size": [600, 800],
        "preproc_blocks": [],
        "para_blocks": [
            {"type": "title", "bbox": [60, 80, 300, 100], "index": 0, "lines": _lines("Statins in sepsis"), "level": 1},
            {"type": "title", "bbox": [60, 120, 300, 140], "index": 1, "lines": _lines("Methods")},
            {"type": "text", "bbox": [60, 160, 540, 200], "index": 2, "lines": _lines("We gave ator-", "vastatin.")},
        ],
        "discarded_blocks": [{"type": "discarded", "bbox": [0, 0, 9, 9], "lines": _lines("A journal")}],
    }
    table = {"type": "table_body", "lines": [{"spans": [{"type": "table", "html": HTML}]}]}
    items = [
        {**line, "is_list_start_line": start}
        for line, start in zip(_lines("one", "two-", "fold"), (1, 1, 0), strict=True)
    ]
    for item, start in zip(items, (True, True, False), strict=True):
        item["is_list_start_line"] = start
    second = {
        "page_idx": 1,
        "page_size": [600, 800],
        "para_blocks": [
            {
                "type": "table",
                "bbox": [1, 2, 3, 4],
                "blocks": [{"type": "table_caption", "lines": _lines("Table 1")}, table],
            },
            {"type": "list", "bbox": [1, 2, 3, 4], "lines": items},
            {"type": "list", "sub_type": "ref_text", "blocks": [{"type": "ref_text", "lines": _lines("Smith 2001")}]},
            {"type": "interline_equation", "lines": [{"spans": [{"type": "interline_equation", "content": "x = 1"}]}]},
            {"type": "image", "blocks": [{"type": "image_body"}, {"type": "image_caption", "lines": _lines("Fig. 1")}]},
        ],
    }
    return {key: [first, second], **more}


PDF_INFO = pdf_info(_backend="pipeline", _version_name="2.6.4")
DRAFT = pdf_info("pages", schema_version="4.0-draft")


def shown(document: Document) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(block.kind.value, block.text, block.section) for block in document.blocks]


START = [
    ("title", "Statins in sepsis", ()),
    ("heading", "Methods", ("Methods",)),
    ("paragraph", "We gave atorvastatin.", ("Methods",)),
]


@pytest.mark.parametrize(
    ("value", "shape", "rest"),
    [
        (CONTENT_LIST_OLD, ConverterFormat.CONTENT_LIST, ["Fig. 1", "n = 80", "x = 1", "Table 1"]),
        (
            CONTENT_LIST_NEW,
            ConverterFormat.CONTENT_LIST,
            ["Table 1", "Arm | n\nPlacebo | 40", "one", "two", "Smith 2001", "Listing 1", "x = 1", "odd"],
        ),
        (
            CONTENT_LIST_V2,
            ConverterFormat.CONTENT_LIST_V2,
            ["Table 1", "Arm | n\nPlacebo | 40", "one", "two", "x = 1", "Fig. 1", "n = 80"],
        ),
        (
            PDF_INFO,
            ConverterFormat.PDF_INFO,
            ["Table 1", "Arm | n\nPlacebo | 40", "one", "twofold", "Smith 2001", "x = 1", "Fig. 1"],
        ),
        (
            DRAFT,
            ConverterFormat.PDF_INFO,
            ["Table 1", "Arm | n\nPlacebo | 40", "one", "twofold", "Smith 2001", "x = 1", "Fig. 1"],
        ),
    ],
)
def test_every_shape_gives_the_same_document(value: Any, shape: ConverterFormat, rest: list[str]) -> None:
    assert shape_of(value) is shape
    document = parse(json.dumps(value).encode(), "file:paper.json", "file")
    assert shown(document)[:3] == START
    assert [block.text for block in document.blocks[3:]] == rest
    assert document.title == "Statins in sepsis"
    assert document.metadata["converter"] == shape.value


def test_places_are_pages_and_fractions_of_them() -> None:
    boxes = {
        "list": read_alone(CONTENT_LIST_NEW, "file:a", "file").blocks[2].place,
        "v2": read_alone(CONTENT_LIST_V2, "file:a", "file").blocks[2].place,
        "info": read_alone(PDF_INFO, "file:a", "file").blocks[2].place,
    }
    assert all(place.page == 1 for place in boxes.values())
    assert boxes["list"].bbox == boxes["v2"].bbox == (0.072, 0.18, 0.741, 0.2)
    assert boxes["info"].bbox == pytest.approx((0.1, 0.2, 0.9, 0.25))
    assert read_alone(CONTENT_LIST_OLD, "file:a", "file").blocks[0].place.bbox is None


def test_cells_and_references_keep_their_kinds() -> None:
    blocks = read_alone(CONTENT_LIST_NEW, "file:a", "file").blocks
    assert blocks[4].table is not None
    assert blocks[4].table.rows == (("Arm", "n"), ("Placebo", "40"))
    assert [block.kind for block in blocks if block.text == "Smith 2001"] == ["reference"]


def test_pages_without_text_are_named() -> None:
    document = read_alone(CONTENT_LIST_V2, "file:a", "file")
    assert document.warnings == ("no text on the pages 2: they may be images or blank",)
    known = PdfSource("file:a", "a", 4, frozenset({4}), "mineru", "2.0")
    assert read_ir(CONTENT_LIST_V2, known).missing_pages == (2,)


def test_a_first_heading_that_names_a_section_is_no_title() -> None:
    value = [{"type": "text", "text": text, "text_level": 1, "page_idx": 0} for text in ("1. Introduction", "Methods")]
    value.append({"type": "text", "text": "Words.", "page_idx": 0})
    assert [kind for kind, *_ in shown(read_alone(value, "file:a", "file"))] == ["heading", "heading", "paragraph"]


@pytest.mark.parametrize(
    "value", [None, 3, "x", [], {}, [1], [[]], [[1]], [{"type": "text"}], {"pages": []}, {"studies": [], "pages": [{}]}]
)
def test_other_values_have_no_shape(value: Any) -> None:
    assert shape_of(value) is None
    with pytest.raises(UnknownPdfIr):
        read_ir(value, PdfSource("file:a", "a", 1, frozenset(), "t", "1"))


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ([{"type": "text", "text": "a", "page_idx": -1}], "page_idx '-1'"),
        ([{"type": "text", "text": "a", "page_idx": True}], "page_idx 'True'"),
        ([{"type": "text", "text": "a", "page_idx": 10**9}], "page_idx"),
        ([{"type": "text", "text": {"a": 1}, "page_idx": 0}], "a text is a dict"),
        ([[{"type": "paragraph", "content": "text"}]], "content of a paragraph is a str"),
        ({"pdf_info": [7]}, "page 1 is a int"),
        ({"schema": "docvortex.middle", "schema_version": "9.0", "pages": []}, "9.0"),
        ({"schema": "docvortex.model", "schema_version": "2.0"}, "docvortex.model"),
    ],
)
def test_a_broken_file_says_what_is_broken(value: Any, detail: str) -> None:
    with pytest.raises(UnknownPdfIr, match=detail.replace("[", r"\[")):
        parse(json.dumps(value).encode(), "file:a", "file")


def test_a_file_without_text_is_empty() -> None:
    with pytest.raises(EmptyDocument):
        parse(b'[{"type": "text", "text": " ", "page_idx": 0}]', "file:a", "file")


def test_deep_nesting_neither_recurses_nor_loses_what_is_near() -> None:
    deep: dict[str, Any] = {"item_type": "text", "item_content": _spans("leaf")}
    for _ in range(200):
        deep = {"item_type": "text", "item_content": _spans("inner"), "list_items": [deep]}
    document = read_alone([[{"type": "list", "content": {"list_items": [deep]}}]], "file:a", "file")
    assert 1 < len(document.blocks) < 20


KEYS = (
    *("type", "text", "text_level", "page_idx", "bbox", "content", "lines", "spans", "blocks", "list_items", "html"),
    *("table_body", "level", "para_blocks", "page_size", "title_content", "item_content", "table_caption"),
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
KINDS = st.sampled_from(
    ["text", "title", "table", "image", "list", "equation", "code", "paragraph", "index", "interline_equation"]
)


@settings(max_examples=150)
@given(
    wrap=st.sampled_from(
        [
            lambda kind, junk: [{**(junk if isinstance(junk, dict) else {"text": junk}), "type": kind, "page_idx": 0}],
            lambda kind, junk: [[{"type": kind, "content": junk}]],
            lambda kind, junk: {"pdf_info": [{"para_blocks": [junk, {"type": kind, "lines": junk, "blocks": junk}]}]},
            lambda kind, junk: {"pages": [junk], "schema_version": "4"},
        ]
    ),
    kind=KINDS,
    junk=JUNK,
)
def test_whatever_a_file_holds_the_outcome_is_typed(wrap: Any, kind: str, junk: Any) -> None:
    try:
        document = read_alone(wrap(kind, junk), "file:a", "file")
    except DocumentError:
        return
    assert document.blocks


def numbered(value: Any) -> dict[str, Any]:
    """The pages of a middle JSON as an object, the last page first."""
    return {f"page_{number}": page for number, page in reversed(list(enumerate(value["pdf_info"])))}


@pytest.mark.parametrize(
    "value",
    [
        {"pdf_info": numbered(PDF_INFO), "_parse_type": "txt"},
        {"pdf_info_dict": PDF_INFO["pdf_info"]},
        {"pdf_mid_data": {"pdf_info": PDF_INFO["pdf_info"]}},
        {"pages": [{"para_blocks": page["para_blocks"]} for page in PDF_INFO["pdf_info"]]},
    ],
)
def test_every_middle_json_of_mineru_is_recognised(value: Any) -> None:
    assert shape_of(value) is ConverterFormat.PDF_INFO
    document = parse(json.dumps(value).encode(), "file:paper_middle.json", "file")
    assert shown(document)[:3] == START
