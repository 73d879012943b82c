"""Gathering units into passages, and cutting by tokens: pure arithmetic."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.stages.chunk.splitter import table_parts
from medkg_lab.stages.chunk.tokens import TokenMap
from medkg_lab.stages.chunk.windows import gather
from medkg_lab.stages.embed.weights import load_tokenizer


def characters(start: int, end: int) -> int:
    return end - start


def ranges(sizes: list[int]) -> list[tuple[int, int]]:
    starts = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    return list(pairwise(starts))


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=30),
    length=st.integers(1, 6),
    overlap=st.integers(0, 5),
    threshold=st.integers(0, 4),
    limit=st.integers(1, 30),
)
def test_windows_cover_every_unit_in_order_within_the_limits(
    sizes: list[int], length: int, overlap: int, threshold: int, limit: int
) -> None:
    overlap = min(overlap, length - 1)
    units = ranges(sizes)
    windows = gather(units, characters, length=length, overlap=overlap, threshold=threshold, limit=limit)
    covered = [number for first, last in windows for number in range(first, last)]
    assert sorted(set(covered)) == list(range(len(units)))
    assert windows[0][0] == 0
    assert windows[-1][1] == len(units)
    for (first, last), (next_first, next_last) in pairwise(windows):
        assert first < next_first <= last
        assert last - next_first <= overlap
        assert next_last > last
    for first, last in windows:
        assert last - first == 1 or characters(units[first][0], units[last - 1][1]) <= limit
    for first, last in windows[:-1]:
        assert last - first <= length


def test_a_short_end_joins_the_window_before() -> None:
    units = ranges([1] * 7)
    assert gather(units, characters, length=3, overlap=0, threshold=0, limit=99) == [(0, 3), (3, 6), (6, 7)]
    assert gather(units, characters, length=3, overlap=0, threshold=2, limit=99) == [(0, 3), (3, 7)]
    assert gather(units, characters, length=3, overlap=1, threshold=0, limit=99) == [(0, 3), (2, 5), (4, 7)]


WORDS = st.sampled_from(["dose", "metformin", "β-blocker", "0.05", "(CKD)", "日本", "x" * 40, "İstanbul", "Naïve"])


@settings(max_examples=100, deadline=None)
@given(words=st.lists(WORDS, min_size=1, max_size=80), limit=st.integers(4, 30))
def test_cut_parts_tile_and_respect_the_limit(words: list[str], limit: int) -> None:
    text = " ".join(words)
    tokens = TokenMap(text, load_tokenizer())
    parts = tokens.cut(0, len(text), limit)
    assert "".join(text[start:end] for start, end in parts) == text
    assert all(tokens.count(start, end) <= limit for start, end in parts)


@settings(max_examples=100, deadline=None)
@given(words=st.lists(WORDS, min_size=2, max_size=40), cut=st.integers(1, 39))
def test_a_stretch_has_as_many_tokens_alone_as_within_the_text(words: list[str], cut: int) -> None:
    text = " ".join(words)
    at = len(" ".join(words[: cut % len(words) or 1]))
    tokenizer = load_tokenizer()
    alone = len(tokenizer.encode(text[at:], add_special_tokens=False).ids)
    assert TokenMap(text, tokenizer).count(at, len(text)) == alone


def test_a_table_repeats_its_header_and_keeps_its_rows_whole() -> None:
    rows = ["Group | Age | Sex", *(f"Group {i} | {40 + i} | female" for i in range(40))]
    tokens = TokenMap("\n".join(rows), load_tokenizer())
    parts = table_parts(tokens, header_rows=1, limit=60)
    assert len(parts) > 3
    assert all(tokens.text[slice(*part[0])] == rows[0] for part in parts)
    assert [line for part in parts for line in tokens.text[slice(*part[1])].split("\n")] == rows[1:]
    assert all(sum(tokens.count(*piece) for piece in part) <= 60 for part in parts)
