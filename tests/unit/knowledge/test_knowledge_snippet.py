"""Snippets: which part of a text is shown, and what is marked in it."""

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.knowledge.bm25 import stem
from medkg_lab.knowledge.snippet import WIDTH, snippet, words


def test_words_of_a_query_hold_nothing_of_a_query_language() -> None:
    assert words('title:"heart" AND (failure^2 OR -renal*)', 10) == [
        "title",
        "heart",
        "and",
        "failure",
        "2",
        "or",
        "renal",
    ]
    assert words("one two three", 2) == ["one", "two"]
    assert words("!? --", 5) == []


def test_other_forms_of_a_word_are_marked_and_function_words_are_not() -> None:
    found = snippet("The inhibitors of the failing heart", ["inhibitor", "the", "failed"], stem)
    assert [found.text[start:end] for start, end in found.marks] == ["inhibitors", "failing"]


def test_the_stretch_with_most_different_words_is_shown() -> None:
    text = "aspirin " * 30 + "filler " * 100 + "aspirin lowers mortality " + "filler " * 100
    found = snippet(text, ["aspirin", "mortality"], stem)
    assert "aspirin lowers mortality" in found.text
    assert {found.text[start:end] for start, end in found.marks} == {"aspirin", "mortality"}


def test_without_a_match_the_beginning_is_shown() -> None:
    found = snippet("filler " * 100, ["aspirin"], stem)
    assert found.start == 0
    assert found.marks == ()


@given(
    st.text(max_size=800),
    st.lists(st.sampled_from(["heart", "a", "ärzte", "x_1", "0"]), max_size=4),
    st.integers(10, 300),
)
def test_a_snippet_is_a_piece_of_the_text_and_marks_lie_in_it(text: str, query: list[str], width: int) -> None:
    mixed = text + " heart failing hearts " + text
    found = snippet(mixed, query, stem, width)
    assert mixed[found.start : found.start + len(found.text)] == found.text
    assert len(found.text) <= width
    assert all(0 <= start < end <= len(found.text) for start, end in found.marks)
    assert WIDTH > 0
