"""Record batches made by kafka-python: what is taken, and what is refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.broker.embedded import batch
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from tests.brokers import record_batch

LIMIT = 1_000_000


def refusal(data: bytes | None, limit: int = LIMIT) -> Code:
    with pytest.raises(Refused) as caught:
        batch.admit(data, limit)
    return caught.value.code


def test_the_header_is_read_as_the_other_library_wrote_it() -> None:
    data = record_batch([b"a", b"b", b"c"], times=[5, 9, 7], producer=(11, 2, 40))
    found = batch.admit(data, LIMIT)
    assert found.size == len(data)
    assert (found.producer_id, found.producer_epoch, found.base_sequence, found.last_sequence) == (11, 2, 40, 42)
    assert (found.base_timestamp, found.max_timestamp, found.records, found.next_offset) == (5, 9, 3, 3)


def test_sequence_numbers_wrap() -> None:
    found = batch.admit(record_batch([b"a", b"b", b"c"], producer=(1, 0, 2**31 - 2)), LIMIT)
    assert found.last_sequence == 0


@pytest.mark.parametrize("data", [None, b"", b"\0" * 60, b"\0" * 100])
def test_what_is_no_batch_is_corrupt(data: bytes | None) -> None:
    assert refusal(data) in (Code.CORRUPT_MESSAGE, Code.UNSUPPORTED_FOR_MESSAGE_FORMAT)


@given(st.data())
def test_any_flipped_bit_behind_the_assigned_bytes_is_noticed(data: st.DataObject) -> None:
    good = bytearray(record_batch([b"value"] * 3))
    at = data.draw(st.integers(batch.ASSIGNED.size, len(good) - 1))
    good[at] ^= 1 << data.draw(st.integers(0, 7))
    assert refusal(bytes(good)) in (Code.CORRUPT_MESSAGE, Code.UNSUPPORTED_FOR_MESSAGE_FORMAT)


@given(st.integers(0, 200))
def test_any_cut_is_noticed(kept: int) -> None:
    good = record_batch([b"value" * 10] * 5)
    assert refusal(good[: min(kept, len(good) - 1)]) == Code.CORRUPT_MESSAGE


def test_more_than_one_batch_is_refused() -> None:
    assert refusal(record_batch([b"a"]) + record_batch([b"b"])) == Code.INVALID_RECORD


def test_a_batch_over_the_limit_is_refused() -> None:
    data = record_batch([b"x" * 500])
    assert refusal(data, len(data) - 1) == Code.MESSAGE_TOO_LARGE
    assert batch.admit(data, len(data)).size == len(data)


@pytest.mark.parametrize(
    ("bits", "code"),
    [
        (0x08, Code.INVALID_TIMESTAMP),
        (0x10, Code.INVALID_RECORD),
        (0x20, Code.INVALID_RECORD),
        (0x07, Code.INVALID_RECORD),
    ],
)
def test_attributes_that_are_not_offered_are_refused(bits: int, code: Code) -> None:
    data = bytearray(record_batch([b"a"]))
    struct.pack_into(">h", data, 21, bits)
    struct.pack_into(">I", data, 17, batch.crc32c(bytes(data[21:])))
    assert refusal(bytes(data)) == code
