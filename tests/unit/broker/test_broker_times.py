"""Where a time lies in a batch, whatever it is compressed with, and what damaged and oversized batches come to."""

import gzip
import struct

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.broker.embedded import batch, compression
from medkg_lab.broker.embedded.times import first_at
from tests.brokers import record_batch

CODECS = range(5)
TIMES = st.lists(st.integers(0, 10_000), min_size=1, max_size=30)
PACKED = {
    compression.GZIP: lambda data: gzip.compress(data, 1),
    compression.SNAPPY: lambda data: bytes(cramjam.snappy.compress_raw(data)),
    compression.LZ4: lambda data: bytes(cramjam.lz4.compress(data)),
    compression.ZSTD: lambda data: bytes(cramjam.zstd.compress(data)),
}


@pytest.mark.parametrize("codec", CODECS)
@settings(deadline=None)
@given(times=TIMES, wanted=st.integers(0, 10_000), start=st.integers(0, 30))
def test_the_first_record_at_a_time_is_found_exactly(codec: int, times: list[int], wanted: int, start: int) -> None:
    data = record_batch([b"v" * 20] * len(times), times=times, compression=codec)
    fitting = ((place, time) for place, time in enumerate(times) if time >= wanted and place >= start)
    assert first_at(data, wanted, start) == next(fitting, None)


@pytest.mark.parametrize("codec", PACKED)
@settings(deadline=None)
@given(body=st.binary(max_size=5000), repeat=st.integers(1, 200))
def test_what_was_packed_is_unpacked(codec: int, body: bytes, repeat: int) -> None:
    plain = body * repeat
    found = compression.unpack(PACKED[codec](plain), codec)
    assert found is not None
    assert bytes(found) == plain


@pytest.mark.parametrize("codec", PACKED)
def test_what_unpacks_to_more_than_the_bound_is_not_unpacked(codec: int) -> None:
    at_most = bytes(compression.LIMIT_BYTES)
    found = compression.unpack(PACKED[codec](at_most), codec)
    assert found is not None
    assert len(found) == compression.LIMIT_BYTES
    assert compression.unpack(PACKED[codec](at_most + b"x"), codec) is None


def test_blocks_that_unpack_to_more_than_the_bound_together_are_not_unpacked() -> None:
    block = bytes(cramjam.snappy.compress_raw(bytes(32 * 1024 * 1024)))
    framed = struct.pack(">i", len(block)) + block
    head = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
    found = compression.unpack(head + framed * 2, compression.SNAPPY)
    assert found is not None
    assert len(found) == compression.LIMIT_BYTES
    assert compression.unpack(head + framed * 2 + struct.pack(">i", 5) + b"\1\0x", compression.SNAPPY) is None


@pytest.mark.parametrize("codec", PACKED)
def test_in_a_batch_that_cannot_be_unpacked_the_answer_is_its_beginning(codec: int) -> None:
    data = bytearray(record_batch([b"v"] * 4, times=[10, 20, 30, 40]))
    struct.pack_into(">h", data, 21, codec)
    assert first_at(bytes(data), 30) == (0, 10)
    assert first_at(bytes(data), 30, start=2) == (2, 10)


@pytest.mark.parametrize("codec", CODECS)
@settings(deadline=None)
@given(body=st.binary(min_size=1, max_size=100))
def test_a_body_that_is_no_records_does_not_break_the_search(codec: int, body: bytes) -> None:
    data = bytearray(record_batch([b"v"] * 4, times=[10, 20, 30, 40]))
    struct.pack_into(">h", data, 21, codec)
    found = first_at(bytes(data[: batch.HEADER_BYTES]) + body, 30)
    assert found is None or isinstance(found[0], int)


@pytest.mark.parametrize("codec", PACKED)
@settings(deadline=None)
@given(st.data())
def test_a_damaged_body_does_not_break_the_search(codec: int, data: st.DataObject) -> None:
    good = bytearray(record_batch([b"v" * 50] * 4, times=[10, 20, 30, 40], compression=codec))
    at = data.draw(st.integers(batch.HEADER_BYTES, len(good) - 1))
    good[at] ^= 1 << data.draw(st.integers(0, 7))
    found = first_at(bytes(good), 30)
    assert found is None or isinstance(found[0], int)
