"""Record batches of format version 2: their header, their checksum, and the search for a time inside one.

A batch stays as its producer made it, except for the base offset and the leader epoch, which lie outside the checksum.
Source: "Record Batch" and "Record" in https://kafka.apache.org/documentation/#recordbatch.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from crc32c import crc32c

from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES: Final = HEADER.size
ASSIGNED: Final = struct.Struct(">qii")
"""The first 16 bytes: base offset, length, leader epoch; the two outer ones are the broker's to set."""
MAGIC: Final = 2
LEADER_EPOCH: Final = 0
SEQUENCE_LIMIT: Final = 2**31

_LENGTH_AFTER = 12
_CRC_FROM = 21
_CODEC_MASK, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20
_UNCOMPRESSED, _GZIP, _LAST_CODEC = 0, 1, 4
_INFLATE_LIMIT = 64 * 1024 * 1024

Buffer = bytes | bytearray | memoryview


class Batch(NamedTuple):
    """The header of one batch; times in milliseconds since 1970, `size` in bytes with the header."""

    base_offset: int
    size: int
    magic: int
    crc: int
    attributes: int
    last_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int

    @property
    def next_offset(self) -> int:
        """The offset after the batch's last record."""
        return self.base_offset + self.last_delta + 1

    @property
    def last_sequence(self) -> int:
        """The sequence number of the batch's last record; numbers wrap to 0 after 2^31 - 1."""
        return (self.base_sequence + self.last_delta) % SEQUENCE_LIMIT


def read_header(data: Buffer, position: int = 0) -> Batch | None:
    """The header at `position`, or None when fewer bytes than a header are left or the length in it makes no sense."""
    if len(data) - position < HEADER_BYTES:
        return None
    base_offset, length, _, *rest = HEADER.unpack_from(data, position)
    size = length + _LENGTH_AFTER
    return None if size < HEADER_BYTES else Batch(base_offset, size, *rest)


def fault(batch: Batch | None, data: Buffer, position: int = 0) -> str | None:
    """Say what is wrong with the bytes of `batch` at `position` of `data`, or None when they are whole and their sum is right."""
    if batch is None:
        return "no batch header"
    if batch.magic != MAGIC:
        return f"format version {batch.magic}, not {MAGIC}"
    if position + batch.size > len(data):
        return f"{len(data) - position} of {batch.size} bytes"
    if batch.last_delta < 0 or batch.records != batch.last_delta + 1:
        return f"{batch.records} records with a last offset delta of {batch.last_delta}"
    with memoryview(data)[position + _CRC_FROM : position + batch.size] as summed:
        return None if crc32c(summed) == batch.crc else "wrong checksum"


def admit(records: bytes | None, max_bytes: int) -> Batch:
    """Check one produced record set and return its only batch's header.

    Raises Refused with the code for the producer: the set must be one whole batch of version 2 with a right checksum, not
    transactional, stamped by its producer, and of at most `max_bytes`.
    """
    data = records or b""
    batch = read_header(data)
    if batch is not None and batch.magic != MAGIC:
        raise Refused(Code.UNSUPPORTED_FOR_MESSAGE_FORMAT, f"record batch version {batch.magic}, only {MAGIC} is kept")
    problem = fault(batch, data)
    if batch is None or problem:
        raise Refused(Code.CORRUPT_MESSAGE, f"damaged record batch: {problem}")
    if batch.size != len(data):
        raise Refused(Code.INVALID_RECORD, "a produce request holds exactly one record batch per partition")
    if batch.size > max_bytes:
        raise Refused(Code.MESSAGE_TOO_LARGE, f"a batch of {batch.size} bytes, max.message.bytes is {max_bytes}")
    if batch.attributes & _LOG_APPEND_TIME:
        raise Refused(Code.INVALID_TIMESTAMP, "the producer's time stamps are kept: set CreateTime")
    if batch.attributes & (_TRANSACTIONAL | _CONTROL) or batch.attributes & _CODEC_MASK > _LAST_CODEC:
        raise Refused(Code.INVALID_RECORD, "transactional, control and unknown compressed batches are not taken")
    if batch.producer_id >= 0 and (batch.base_sequence < 0 or batch.producer_epoch < 0):
        raise Refused(Code.INVALID_RECORD, "an idempotent batch needs a sequence number and an epoch")
    return batch


def first_at(data: bytes, timestamp: int) -> tuple[int, int]:
    """The (offset, time) of the first record in the batch `data` with a time of at least `timestamp`.

    Exact for uncompressed and gzip batches; for the other codecs, which the broker does not unpack, the answer is the
    batch's first record, so that a reader that starts there misses nothing.
    """
    batch = read_header(data)
    assert batch is not None, "the log hands over whole batches"
    earliest = (batch.base_offset, batch.base_timestamp)
    body = _inflate(data[HEADER_BYTES:], batch.attributes & _CODEC_MASK)
    if body is None:
        return earliest
    try:
        for offset_delta, time_delta in _record_times(body, batch.records):
            if batch.base_timestamp + time_delta >= timestamp:
                return batch.base_offset + offset_delta, batch.base_timestamp + time_delta
    except IndexError:
        return earliest  # the checksum is right, so the producer itself made a body that does not parse
    return earliest


def _inflate(body: bytes, codec: int) -> bytes | None:
    if codec == _UNCOMPRESSED:
        return body
    if codec != _GZIP:
        return None
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, _INFLATE_LIMIT)
    except zlib.error:
        return None
    return plain if unpacker.eof else None


def _record_times(body: bytes, count: int) -> Iterator[tuple[int, int]]:
    position = 0
    for _ in range(count):
        length, position = _varint(body, position)
        end = position + length
        time_delta, position = _varint(body, position + 1)
        offset_delta, position = _varint(body, position)
        yield offset_delta, time_delta
        if end < position:
            raise IndexError("a record that ends before its fields")
        position = end


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 63:
            raise IndexError("a variable-length integer without end")
