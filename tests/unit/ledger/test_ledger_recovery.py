"""Which event is taken from where when a ledger is brought back."""

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.ledger.recovery import Range, Source, beyond, plan


def source(name: str, *ranges: Range) -> Source:
    return Source(name, name, ranges)


def told(sources: list[Source], start: int = 1) -> list[tuple[str, int, int]]:
    return [(each.source.name, each.first, each.last) for each in plan(sources, start)]


def test_the_first_that_has_an_event_gives_it() -> None:
    sources = [source("ledger", (1, 5), (9, 9)), source("snapshot", (1, 7)), source("topic", (4, 12))]
    assert told(sources) == [
        ("ledger", 1, 5), ("snapshot", 6, 7), ("topic", 8, 8), ("ledger", 9, 9), ("topic", 10, 12)
    ]  # fmt: skip


def test_a_gap_ends_it_and_what_lies_beyond_is_named() -> None:
    sources = [source("ledger", (1, 3)), source("topic", (6, 8))]
    assert told(sources) == [("ledger", 1, 3)]
    assert [(each.source.name, each.first, each.last) for each in beyond(sources, 3)] == [("topic", 6, 8)]
    assert told(sources, 4) == []
    assert told([], 1) == []


@given(st.lists(st.sets(st.integers(1, 30)), max_size=4))
def test_it_takes_every_event_up_to_the_first_that_nobody_has(held: list[set[int]]) -> None:
    def ranges(numbers: set[int]) -> tuple[Range, ...]:
        firsts = [n for n in sorted(numbers) if n - 1 not in numbers]
        return tuple((first, next(n for n in range(first, 32) if n + 1 not in numbers)) for first in firsts)

    sources = [Source(str(n), "", ranges(numbers)) for n, numbers in enumerate(held)]
    taken = [(seq, int(each.source.name)) for each in plan(sources, 1) for seq in range(each.first, each.last + 1)]
    everything: set[int] = set().union(*held)
    missing = next(n for n in range(1, 32) if n not in everything)
    assert [seq for seq, _ in taken] == list(range(1, missing))
    assert all(place == next(n for n, numbers in enumerate(held) if seq in numbers) for seq, place in taken)
