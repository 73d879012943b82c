"""Sentences tile their text and end where a reader says they end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.stages.chunk.sentences import split


@pytest.mark.parametrize(
    "sentences",
    [
        ["We gave 5 mg twice daily. ", "It helped."],
        ["The effect was clear (p < 0.05). ", "Nobody died."],
        ["See Fig. 2 for details. ", "Smith et al. found less, e.g. in E. coli."],
        ["Dr. Kole treated them vs. placebo. ", "All recovered [12]. ", "None relapsed."],
        ["It was measured by RT-PCR. ", "The assay was ours."],
        ["Was it safe? ", "It was!"],
        ["3. Written consent was given."],
        ["The rate was 0.8 per year."],
        ["One line\n", "and another."],
        ["It was shown before. [5] ", "However, the numbers were small."],
    ],
)
def test_boundaries(sentences: list[str]) -> None:
    assert split("".join(sentences)) == sentences


def test_a_sentence_within_brackets_stays_with_the_one_around_it() -> None:
    text = "Two patients (one had a fever. The other coughed) were skipped. Others stayed."
    assert split(text)[-1] == "Others stayed."
    assert not any(sentence.startswith("The other") for sentence in split(text))


def test_a_long_text_full_of_doubt_is_still_cut() -> None:
    text = "see no. 5 of p. 7 in (vol. 3 " * 200 + "end. Fin."
    assert "".join(split(text)) == text


PIECES = st.sampled_from(
    [
        "The dose",
        " was",
        " 5.5",
        " mg",
        ". ",
        "? ",
        "! ",
        " (",
        ") ",
        "[1] ",
        "et al. ",
        "e.g. ",
        "\n",
        " U.S. ",
        '"',
        "”",
        "...",
        "A. ",
        "ß",
        "İ",
    ]
)


@settings(max_examples=300, deadline=None)
@given(text=st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=80))
def test_sentences_tile_the_text(text: str) -> None:
    sentences = split(text)
    assert "".join(sentences) == text
    assert all(sentences)
