"""Completeness figures: 1 for what is all there, less by as much as is missing."""

import json
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.errors import DocumentError
from medkg_lab.evaluation.parsing import (
    BODY_SHARE,
    FRONT_SHARE,
    OWN_TOKENS,
    Completeness,
    NothingToParse,
    body_texts,
    files_below,
    found_cells_share,
    found_share,
    found_values_share,
    front_share,
    grams_in_order,
    of_file,
    of_pair,
    pairs_below,
    report,
    study_texts,
    token_precision,
    token_recall,
)
from medkg_lab.evaluation.reference import cells_of, values_of, words_of
from medkg_lab.models.documents import Block, BlockKind, Document, Place, Table
from medkg_lab.stages.parse.xml import parse_xml

ARTICLE = """<article><front><article-meta><title-group><article-title>A title</article-title></title-group>
</article-meta></front><body><sec><title>One</title><p>Alpha <b>beta</b> gamma.</p>
<p>Delta<object-id>10.1/x</object-id> epsilon.</p></sec></body></article>"""


def document(*texts: str) -> Document:
    blocks = tuple(Block(kind=BlockKind.PARAGRAPH, text=text, place=Place(element="p")) for text in texts)
    return Document(doc_id="file:a", source="file", title="A title", blocks=blocks)


def test_a_body_is_kept_whole_or_by_its_share() -> None:
    pieces = [piece.strip() for piece in body_texts(ARTICLE.encode()) if piece.strip()]
    assert pieces == ["One", "Alpha", "beta", "gamma.", "Delta", "epsilon."]
    assert found_share(pieces, "One Alpha beta gamma. Delta epsilon.") == 1
    assert found_share(pieces, "One Alpha beta gamma. Delta") == pytest.approx(22 / 29)


def test_free_text_of_a_study() -> None:
    study = {"protocolSection": {"a": "one two three four\nshort line", "b": ["p \\< 0.05 was \\[not\\] seen", "CODE"]}}
    assert sorted(study_texts(json.dumps(study).encode())) == ["one two three four", "p < 0.05 was [not] seen"]


def test_words_and_their_order() -> None:
    text = "one two three four five six seven eight"
    assert token_recall(document(text), text) == 1
    assert token_recall(document("one two three four"), text) == 0.5
    assert grams_in_order(document(text), text) == 1
    assert grams_in_order(document("five six seven eight", "one two three four"), text) == pytest.approx(1 / 5)


def test_a_sequence_that_stands_twice_counts_at_the_place_that_fits() -> None:
    body = "one two three four five six seven eight"
    assert grams_in_order(document("five six seven eight", body), body) == 1


def test_words_that_ran_together_are_not_the_sources_own() -> None:
    words = words_of(
        parse_xml(b"<p>in <i>2019</i><sup>12</sup> of CO<sub>2</sub>, <italic>H</italic>elix and Ca<sup>2+</sup></p>")
    )
    assert token_precision(document("in 2019 [12] of CO2, Helix and Ca"), words) == 1
    assert token_precision(document("in 201912 of"), words) == pytest.approx(2 / 3)


def test_front_matter_that_is_lost_is_seen() -> None:
    aff = "<aff><label>1</label>Dept of X</aff><contrib-group><contrib contrib-type='editor'>No one</contrib></contrib-group>"
    article = parse_xml(f"<article><front><article-meta>{aff}</article-meta></front></article>".encode())
    assert front_share(document("Text"), article) == 0
    assert front_share(document("Text").model_copy(update={"metadata": {"affiliations": ["Dept of X"]}}), article) == 1


def test_cells_count_as_cells_alone() -> None:
    wanted = cells_of(parse_xml(b"<table><tr><td>39.8</td><td>50.0</td></tr></table>"))
    assert found_cells_share(document("39.8 | 50.0"), wanted) == 0
    for row, share in ((("39.8", "50.0"), 1), (("39.8", ""), 0.5), (("39.850.0", ""), 0)):
        block = Block(kind=BlockKind.TABLE, text="t", place=Place(element="t"), table=Table(rows=(row,)))
        assert found_cells_share(document().model_copy(update={"blocks": (block,)}), wanted) == share


def test_numbers_of_results_are_looked_for_in_cells() -> None:
    wanted = values_of({"measures": [{"value": "61.5", "spread": "8.1", "title": "of 2020"}]})
    block = Block(kind=BlockKind.TABLE, text="t", place=Place(element="t"), table=Table(rows=(("Age", "61.5 (8.1)"),)))
    assert found_values_share(document().model_copy(update={"blocks": (block,)}), wanted) == 1
    assert found_values_share(document("61.5 (8.1)"), wanted) == 0


def test_files_and_their_problems(tmp_path: Path) -> None:
    (tmp_path / "a.nxml").write_text(ARTICLE)
    (tmp_path / "b.xml").write_text("<nothing/>")
    (tmp_path / "c.txt").write_text("left alone")
    found: Any = report([of_file(path) for path in files_below(tmp_path)]).to_json()
    assert [one["name"] for one in found["documents"]] == ["b.xml", "a.nxml"]
    assert found["documents"][0]["problem"].startswith("NotAnArticle")
    assert found["figures"] == {
        name: {"median": 1.0, "min": 1.0, "documents": 1} for name in (BODY_SHARE, FRONT_SHARE, OWN_TOKENS)
    }
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
    assert of_pair(tmp_path / "a.pdf", article, lambda _: whole).figures == {
        "token_recall": 1.0,
        "grams_in_order": 1.0,
        "own_tokens": 1.0,
    }
    assert report([Completeness("x", {})]).figures == {}
