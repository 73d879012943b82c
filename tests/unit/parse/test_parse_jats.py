"""JATS articles become documents; hostile or wrong XML becomes a typed error."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.errors import DocumentError
from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.stages.parse.errors import (
    EmptyDocument,
    LegacyRegistryXml,
    MalformedXml,
    NotAnArticle,
    OpenAccessRefusal,
    TooDeep,
)
from medkg_lab.stages.parse.jats import parse_jats
from medkg_lab.stages.parse.text import words
from tests.unit.parse.documents import ARTICLE


@pytest.fixture(scope="module")
def document() -> Document:
    return parse_jats(ARTICLE.encode(), "pmc:222", "pmc")


def of_kind(document: Document, kind: BlockKind) -> list[str]:
    return [block.text for block in document.blocks if block.kind is kind]


def test_front_matter(document: Document) -> None:
    assert document.title == "CO2 and the lung"
    assert document.identifiers == {"pmid": "111", "pmc": "PMC222", "doi": "10.5555/x"}
    assert document.metadata["authors"] == ["Ana Kole"]
    assert document.metadata["journal"] == "J Invent"
    assert document.metadata["year"] == 2021
    assert document.metadata["licence"] == "https://creativecommons.org/licenses/by/4.0/"
    assert [(code.term, code.role) for code in document.codes] == [("carbon dioxide", "keyword")]
    assert document.language == "en"


def test_sections_are_paths_and_abstracts_are_marked(document: Document) -> None:
    abstract = next(block for block in document.blocks if block.kind is BlockKind.ABSTRACT)
    assert (abstract.text, abstract.section) == ("Why we did it.", ("Abstract", "Background"))
    deep = next(block for block in document.blocks if block.text == "Kept seen text")
    assert deep.section == ("1. Methods", "Deep")
    assert deep.place.element == "/article/body/sec/sec/unheard-of/p"


def test_inline_markup_neither_glues_nor_loses_words(document: Document) -> None:
    first = of_kind(document, BlockKind.PARAGRAPH)[0]
    assert first == "We gave 10^6 cells [1] at 5 mg in Ca2+."


def test_formulas_are_text_once(document: Document) -> None:
    assert of_kind(document, BlockKind.FORMULA) == ["a/2 (1)"]
    assert "where a is x^2." in of_kind(document, BlockKind.PARAGRAPH)


def test_lists_captions_and_references(document: Document) -> None:
    assert of_kind(document, BlockKind.LIST_ITEM) == ["a) first item", "second item"]
    assert of_kind(document, BlockKind.CAPTION) == ["Figure 1 Flow. All of it.", "Table 1 Ages"]
    assert of_kind(document, BlockKind.REFERENCE) == ["1 Roe R, On air, 1999"]
    assert ("Acknowledgments",) in {block.section for block in document.blocks}


def test_spanning_cells_stand_in_every_column_and_row(document: Document) -> None:
    table = next(block.table for block in document.blocks if block.table)
    assert table is not None
    assert table.rows == (("Group", "Age", "Age"), ("Group", "mean", "SD"), ("A", "61", "8 .1"))
    assert table.header_rows == 2
    assert "SD, standard deviation" in of_kind(document, BlockKind.PARAGRAPH)


def test_a_sub_article_is_a_top_section_of_its_own(document: Document) -> None:
    assert [block.text for block in document.blocks if block.section == ("Reply",)] == ["Reply", "We agree."]


def test_a_set_of_one_article_will_do() -> None:
    body = ARTICLE[ARTICLE.index("<article ") :].replace("&nbsp;", " ")
    assert parse_jats(f"<pmc-articleset>{body}</pmc-articleset>".encode(), "x:1", "x").title == "CO2 and the lung"


def test_title_alone_is_kept_with_a_warning() -> None:
    front = (
        "<front><article-meta><title-group><article-title>Alone</article-title></title-group></article-meta></front>"
    )
    document = parse_jats(f"<article>{front}</article>".encode(), "x:1", "x")
    assert document.title == "Alone"
    assert document.warnings == ("the article has a title but neither abstract nor body",)


NESTED = b"<article>" + b"<sec>" * 200 + b"</sec>" * 200 + b"</article>"
BOMB = b"""<!DOCTYPE article [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<article><body><p>before &b; after</p></body></article>"""
OUTSIDE = (
    b"""<!DOCTYPE article [<!ENTITY x SYSTEM "file:///etc/hostname">]><article><body><p>a &x; b</p></body></article>"""
)


@pytest.mark.parametrize(
    ("data", "error", "part"),
    [
        (ARTICLE.encode()[:900], MalformedXml, r"line \d+, column \d+"),
        (b"<article></article>", EmptyDocument, "no title, abstract or body"),
        (b"<article><body/></article>", EmptyDocument, "article"),
        (b"<PubmedArticleSet/>", NotAnArticle, "<PubmedArticleSet>"),
        (b"<pmc-articleset><article/><article/></pmc-articleset>", NotAnArticle, "set of 2 articles"),
        (b"<pmc-articleset><error>not found</error></pmc-articleset>", OpenAccessRefusal, "not found"),
        (b'<OA><error code="idIsNotOpenAccess">no</error></OA>', OpenAccessRefusal, "idIsNotOpenAccess"),
        (b"<clinical_study><id_info><nct_id>NCT07</nct_id></id_info></clinical_study>", LegacyRegistryXml, "NCT07"),
        (NESTED, TooDeep, "100 levels"),
    ],
)
def test_what_is_no_article_is_named(data: bytes, error: type[DocumentError], part: str) -> None:
    with pytest.raises(error, match=part):
        parse_jats(data, "x:1", "x")


@pytest.mark.parametrize("data", [BOMB, OUTSIDE])
def test_entities_are_never_expanded(data: bytes) -> None:
    text = " ".join(block.text for block in parse_jats(data, "x:1", "x").blocks)
    assert "aaaa" not in text
    assert "&" in text


def test_a_table_that_claims_a_million_columns_stays_small() -> None:
    cell = '<td colspan="999999999" rowspan="99999">x</td>'
    data = f"<article><body><table><tr>{cell}</tr><tr><td>y</td></tr></table></body></article>"
    table = parse_jats(data.encode(), "x:1", "x").blocks[0].table
    assert table is not None
    assert len(table.rows[0]) <= 100


WORDS = st.text(st.characters(whitelist_categories=("Lu", "Ll", "Nd")), min_size=1, max_size=8)
NAMES = st.sampled_from(
    sorted(words("sec p bold sup sub list list-item fig caption title table tr td xref boxed-text weird fn label"))
)
TREES = st.recursive(
    WORDS,
    lambda inner: st.tuples(NAMES, st.lists(inner, max_size=4)).map(lambda t: f"<{t[0]}>{''.join(t[1])}</{t[0]}>"),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(body=st.lists(TREES, min_size=1, max_size=5))
def test_any_markup_gives_a_document_or_a_typed_error(body: list[str]) -> None:
    try:
        document = parse_jats(f"<article><body>{''.join(body)}</body></article>".encode(), "x:1", "x")
    except DocumentError:
        return
    assert all(block.text == block.text.strip() and block.text for block in document.blocks)
    assert Document.model_validate_json(document.model_dump_json()) == document


@settings(max_examples=80, deadline=None)
@given(content=st.lists(WORDS, min_size=1, max_size=6), name=NAMES)
def test_no_word_of_a_paragraph_is_lost(content: list[str], name: str) -> None:
    inner = " ".join(f"<{name}>{word}</{name}>" if i % 2 else word for i, word in enumerate(content))
    data = f"<article><body><sec><title>T</title><p>{inner} end</p></sec></body></article>"
    text = " ".join(block.text for block in parse_jats(data.encode(), "x:1", "x").blocks)
    if name not in ("table", "tr", "td", "list", "fig", "sec"):
        assert [word for word in content if unicodedata.normalize("NFC", word) not in text] == []
