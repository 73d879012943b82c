"""Completeness figures: 1 for what is all there, less by as much as is missing."""

import json
from pathlib import Path

import pytest

from medkg_lab.errors import DocumentError
from medkg_lab.evaluation.parsing import (
    BODY_SHARE,
    Completeness,
    NothingToParse,
    body_texts,
    files_below,
    grams_in_order,
    of_file,
    of_pair,
    pairs_below,
    report,
    share_kept,
    study_texts,
    token_recall,
)
from medkg_lab.models.ir import Block, BlockKind, Document, Place

ARTICLE = """<article><front><article-meta><title-group><article-title>A title</article-title></title-group>
</article-meta></front><body><sec><title>One</title><p>Alpha <b>beta</b> gamma.</p>
<p>Delta<object-id>10.1/x</object-id> epsilon.</p></sec></body></article>"""


def document(*texts: str) -> Document:
    blocks = tuple(Block(kind=BlockKind.PARAGRAPH, text=text, place=Place(element="p")) for text in texts)
    return Document(doc_id="file:a", source="file", title="A title", blocks=blocks)


def test_a_body_is_kept_whole_or_by_its_share() -> None:
    pieces = [piece.strip() for piece in body_texts(ARTICLE.encode()) if piece.strip()]
    assert pieces == ["One", "Alpha", "beta", "gamma.", "Delta", "epsilon."]
    assert share_kept(pieces, document("One Alpha beta gamma. Delta epsilon.")) == 1
    assert share_kept(pieces, document("One Alpha beta gamma. Delta")) == pytest.approx(22 / 29)


def test_free_text_of_a_study() -> None:
    study = {"protocolSection": {"a": "one two three four\nshort line", "b": ["p \\< 0.05 was \\[not\\] seen", "CODE"]}}
    assert sorted(study_texts(json.dumps(study).encode())) == ["one two three four", "p < 0.05 was [not] seen"]


def test_words_and_their_order() -> None:
    text = "one two three four five six seven eight"
    assert token_recall(document(text), text) == 1
    assert token_recall(document("one two three four"), text) == 0.5
    assert grams_in_order(document(text), text) == 1
    assert grams_in_order(document("five six seven eight", "one two three four"), text) == pytest.approx(1 / 5)


def test_files_and_their_problems(tmp_path: Path) -> None:
    (tmp_path / "a.nxml").write_text(ARTICLE)
    (tmp_path / "b.xml").write_text("<nothing/>")
    (tmp_path / "c.txt").write_text("left alone")
    found = report([of_file(path) for path in files_below(tmp_path)])
    assert [one["name"] for one in found["documents"]] == ["b.xml", "a.nxml"]
    assert found["documents"][0]["problem"].startswith("NotAnArticle")
    assert found["figures"] == {BODY_SHARE: {"median": 1.0, "min": 1.0, "documents": 1}}
    with pytest.raises(NothingToParse):
        files_below(tmp_path / "nowhere")


def test_pairs_by_name_and_by_table(tmp_path: Path) -> None:
    for name in ("a.pdf", "a.nxml", "b.pdf"):
        (tmp_path / name).write_text(ARTICLE)
    assert pairs_below(tmp_path) == [(tmp_path / "a.pdf", tmp_path / "a.nxml")]
    (tmp_path / "PAIRS.tsv").write_text("pdf\tjats\nb.pdf\ta.nxml\n")
    assert pairs_below(tmp_path) == [(tmp_path / "b.pdf", tmp_path / "a.nxml")]
    (tmp_path / "PAIRS.tsv").write_text("pdf\tjats\n")
    with pytest.raises(NothingToParse):
        pairs_below(tmp_path)


def test_a_pdf_that_is_not_converted_is_a_problem(tmp_path: Path) -> None:
    article = tmp_path / "a.nxml"
    article.write_text(ARTICLE)

    def refuse(path: Path) -> Document:
        raise DocumentError(detail="no text")

    assert of_pair(tmp_path / "a.pdf", article, refuse).problem.startswith("DocumentError")
    whole = document("A title", "One Alpha beta gamma. Delta epsilon.")
    assert of_pair(tmp_path / "a.pdf", article, lambda _: whole).figures == {"token_recall": 1.0, "grams_in_order": 1.0}
    assert report([Completeness("x", {})])["figures"] == {}
