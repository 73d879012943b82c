"""Snippets: which part of a text is shown, and what is marked in it."""

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.knowledge.analysis import atoms, terms
from medkg_lab.knowledge.snippet import WIDTH, Row, snippet


def rows(*words: str) -> list[Row]:
    return [terms(atoms(word)) for word in words]


def test_other_forms_of_a_word_are_marked() -> None:
    found = snippet("The inhibitors of the failing heart", rows("inhibitor", "failed"))
    assert [found.text[start:end] for start, end in found.marks] == ["inhibitors", "failing"]


def test_the_stretch_with_most_different_words_is_shown() -> None:
    text = "aspirin " * 30 + "filler " * 100 + "aspirin lowers mortality " + "filler " * 100
    found = snippet(text, rows("aspirin", "mortality"))
    assert "aspirin lowers mortality" in found.text
    assert {found.text[start:end] for start, end in found.marks} == {"aspirin", "mortality"}


def test_without_a_match_the_beginning_is_shown() -> None:
    found = snippet("filler " * 100, rows("aspirin"))
    assert found.start == 0
    assert found.marks == ()


@given(
    st.text(max_size=800),
    st.lists(st.sampled_from(["heart", "a", "ärzte", "x_1", "0"]), max_size=4),
    st.integers(10, 300),
)
def test_a_snippet_is_a_piece_of_the_text_and_marks_lie_in_it(text: str, query: list[str], width: int) -> None:
    mixed = text + " heart failing hearts " + text
    found = snippet(mixed, rows(*query), width=width)
    assert mixed[found.start : found.start + len(found.text)] == found.text
    assert len(found.text) <= width
    assert all(0 <= start < end <= len(found.text) for start, end in found.marks)
    assert WIDTH > 0


def test_a_row_is_marked_as_a_whole_and_a_beginning_by_its_words() -> None:
    text = "IL-6 rose in 6 of them, IL6 fell, and metformin helped"
    found = snippet(text, rows("IL 6"), ["metf"])
    assert [found.text[start:end] for start, end in found.marks] == ["IL-6", "IL6", "metformin"]
