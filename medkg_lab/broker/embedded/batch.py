"""Record batches of format version 2: their header, their checksum, and whether one is taken.

A batch stays as its producer made it, except for the base offset and the leader epoch, which lie outside the checksum.
Source: "Record Batch" and "Record" in https://kafka.apache.org/documentation/#recordbatch.
"""

import struct
from typing import Final, NamedTuple

from crc32c import crc32c

from medkg_lab.broker.embedded import compression
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.compression import Buffer
from medkg_lab.broker.embedded.errors import Refused

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES: Final = HEADER.size
ASSIGNED: Final = struct.Struct(">qii")
"""The first 16 bytes: base offset, length, leader epoch; the two outer ones are the broker's to set."""
MAGIC: Final = 2
LEADER_EPOCH: Final = 0
SEQUENCE_LIMIT: Final = 2**31

_UNPACKED_BYTES, _UNPACKED_LEAST, _UNPACKED_RATIO = 16 * 1024 * 1024, 4096, 100
"""What a batch from outside may unpack to: records as alike as requests pack to a tenth, rarely to less than a fiftieth."""
_LENGTH_AFTER = 12
_CRC_FROM = 21
_CODEC_MASK, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x07, 0x08, 0x10, 0x20


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
    def codec(self) -> int:
        """How its records are compressed."""
        return self.attributes & _CODEC_MASK

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


def check_unpacked(batch: Batch, records: Buffer) -> None:
    """Raise Refused for a batch that unpacks to much more than it has, or not at all: who reads it could run out of memory."""
    limit = min(_UNPACKED_BYTES, _UNPACKED_LEAST + _UNPACKED_RATIO * len(records))
    packed = compression.NONE < batch.codec <= compression.ZSTD
    if packed and compression.unpack(bytes(records[HEADER_BYTES:]), batch.codec, limit) is None:
        raise Refused(Code.INVALID_RECORD, f"the batch is damaged or unpacks to more than {limit} bytes")


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
    if batch.attributes & (_TRANSACTIONAL | _CONTROL) or batch.codec > compression.ZSTD:
        raise Refused(Code.INVALID_RECORD, "transactional, control and unknown compressed batches are not taken")
    if batch.producer_id >= 0 and (batch.base_sequence < 0 or batch.producer_epoch < 0):
        raise Refused(Code.INVALID_RECORD, "an idempotent batch needs a sequence number and an epoch")
    return batch
