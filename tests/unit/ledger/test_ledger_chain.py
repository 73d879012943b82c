"""Nobody without the key gets anything into the history, whatever he does to the topic's records."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.ledger import epochs
from medkg_lab.ledger.chain import EPOCH, MAC, PREVIOUS, SEQ, Epoch, Findings, Link, LogRecord, Verdict, follow, signed
from medkg_lab.signing import Signer

SIGNER = Signer(b"k" * 32, "log")
EVENTS = 12
FORK = 5
"""The last event before the second epoch."""


def written(epoch: int, start: int, count: int) -> list[LogRecord]:
    last, records = Link.first(Epoch(epoch, start)), []
    for seq in range(start + 1, start + count + 1):
        value = f"event {seq} of epoch {epoch}".encode()
        last, headers = signed(SIGNER, last, seq, value)
        records.append(LogRecord(value, headers))
    return records


ONE = written(1, 0, EVENTS)
TWO = [*ONE, *written(2, FORK, EVENTS - FORK)]
"""A ledger that lost its end, and went on: the second epoch replaces the events after the fork."""


def history(records: Sequence[LogRecord], newest: Epoch | None = None) -> tuple[dict[int, bytes], Findings]:
    """The events that are used, by number."""
    findings = Findings()
    used: dict[int, bytes] = {}
    for event in follow(records, SIGNER, newest, findings):
        if event.replaces is not None:
            used = {seq: value for seq, value in used.items() if seq < event.replaces}
        assert event.seq not in used
        used[event.seq] = event.value
    return used, findings


def truth(epochs_: int) -> dict[int, bytes]:
    return {
        seq: f"event {seq} of epoch {2 if epochs_ == 2 and seq > FORK else 1}".encode() for seq in range(1, EVENTS + 1)
    }


def test_what_the_lab_wrote_is_used_in_full() -> None:
    assert history(ONE) == (truth(1), Findings({Verdict.ACCEPTED: EVENTS}, 1))  # type: ignore[arg-type]
    assert history(TWO)[0] == truth(2)


def test_records_that_come_again_after_a_restart_change_nothing() -> None:
    again = [*ONE[:7], *ONE[3:9], *ONE[8:]]
    used, findings = history(again)
    assert used == truth(1)
    assert findings.counts[Verdict.REPEATED] == 5
    assert findings.gap is None
    assert written(1, 0, EVENTS) == ONE


def test_without_its_oldest_records_the_rest_is_used() -> None:
    used, _ = history(ONE[4:])
    assert used == {seq: value for seq, value in truth(1).items() if seq > 4}
    used, _ = history(TWO[EVENTS + 2 :])
    assert used == {seq: value for seq, value in truth(2).items() if seq > FORK + 2}


def test_an_unfilled_gap_is_reported_and_a_filled_one_is_not() -> None:
    used, findings = history([*ONE[:4], *ONE[5:]])
    assert sorted(used) == [1, 2, 3, 4]
    assert findings.gap == (4, 6)
    used, findings = history([*ONE[:4], *ONE[5:7], *ONE[4:]])
    assert used == truth(1)
    assert findings.gap is None


def test_records_of_an_older_epoch_come_too_late() -> None:
    used, findings = history([*TWO, *ONE])
    assert used == truth(2)
    assert findings.counts[Verdict.STALE] == EVENTS
    used, _ = history(ONE, newest=Epoch(2, FORK))
    assert used == {seq: value for seq, value in truth(1).items() if seq <= FORK}


def test_a_newer_epoch_without_its_start_makes_the_older_ones_worthless() -> None:
    used, _ = history([*ONE, *TWO[EVENTS + 1 :]])
    assert used == {seq: value for seq, value in truth(2).items() if seq > FORK + 1}


@pytest.mark.parametrize("name", [EPOCH, SEQ, PREVIOUS, MAC])
@pytest.mark.parametrize(
    "value", [None, b"", b"0", b"\xff\xfe", b"9" * 40, b"zz" * 32, b"00" * 32, b"1_0", "٣".encode()]
)
def test_a_damaged_header_makes_a_record_foreign(name: str, value: bytes | None) -> None:
    damaged = LogRecord(ONE[3].value, {**ONE[3].headers, name: value})
    used, findings = history([*ONE[:3], damaged, *ONE[3:]])
    assert used == truth(1)
    assert findings.counts[Verdict.FOREIGN] == 1


def test_another_key_signs_nothing() -> None:
    assert history([])[0] == {}
    findings = Findings()
    assert list(follow(ONE, Signer(b"x" * 32, "log"), None, findings)) == []
    assert list(follow(ONE, Signer(b"k" * 32, "requests"), None, findings)) == []
    assert findings.counts == {Verdict.FOREIGN: 2 * EVENTS}


Attack = Callable[[list[LogRecord]], list[LogRecord]]
places = st.integers(0, 60)
made_up = st.builds(
    LogRecord,
    st.one_of(st.binary(max_size=20), st.sampled_from([record.value for record in TWO])),
    st.one_of(
        st.just({}),
        st.sampled_from([record.headers for record in TWO]),
        st.fixed_dictionaries(
            {
                EPOCH: st.sampled_from([b"1", b"2", b"3", b"x"]),
                SEQ: st.integers(-1, 30).map(lambda seq: str(seq).encode()),
                PREVIOUS: st.sampled_from([record.headers[PREVIOUS] for record in TWO] + [b"00" * 32]),
                MAC: st.sampled_from([record.headers[MAC] for record in TWO] + [b"00" * 32]),
            }
        ),
    ),
)
genuine = st.sampled_from(TWO)


def is_genuine(record: LogRecord) -> bool:
    return record in TWO


inserted = st.lists(st.tuples(places, st.one_of(made_up, genuine)), max_size=12)
dropped = st.sets(places, max_size=12)
orders = st.randoms(use_true_random=False)


@given(inserted, dropped, orders, st.booleans())
def test_whatever_is_done_to_the_topic_only_what_the_lab_wrote_is_used(inserted, dropped, order, shuffle) -> None:  # type: ignore[no-untyped-def]
    records = [record for place, record in enumerate(TWO) if place not in dropped]
    for place, record in inserted:
        records.insert(place % (len(records) + 1), record)
    if shuffle:
        order.shuffle(records)
    used, findings = history(records, newest=Epoch(2, FORK))
    assert used.items() <= truth(2).items()
    assert sum(findings.counts.values()) == len(records)
    assert findings.counts[Verdict.FOREIGN] + findings.counts[Verdict.UNSIGNED] == sum(
        not is_genuine(record) for record in records
    )


@given(st.lists(st.tuples(places, made_up.filter(lambda record: not is_genuine(record))), max_size=12))
def test_foreign_records_between_hide_none_of_the_labs(inserted: list[tuple[int, LogRecord]]) -> None:
    records = list(TWO)
    for place, record in inserted:
        records.insert(place % (len(records) + 1), record)
    assert history(records)[0] == truth(2)


@given(st.integers(0, EVENTS - 1), st.sets(places, min_size=1, max_size=5))
def test_what_is_taken_out_is_noticed(start: int, dropped: set[int]) -> None:
    """Of one epoch: what is used is one stretch, and a missing record between two others is named."""
    left = [record for place, record in enumerate(ONE) if place >= start and place not in dropped]
    used, findings = history(left)
    numbers = sorted(used)
    assert numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else left == []
    assert (findings.gap is None) == (len(used) == len(left))


def test_epochs_only_grow(tmp_path: Path) -> None:
    assert epochs.current(tmp_path) is None
    first = epochs.begin(tmp_path, 0)
    second = epochs.begin(tmp_path, 70)
    assert epochs.current(tmp_path) == second == Epoch(max(first.number + 1, second.number), 70)
    (tmp_path / epochs.FILE).write_text("damaged")
    assert epochs.current(tmp_path) is None
    assert epochs.begin(tmp_path, 70).number >= first.number
    assert (tmp_path / epochs.FILE).stat().st_mode & 0o777 == 0o600
