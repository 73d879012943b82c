"""Where a time lies in a record batch. Source: "Record" in https://kafka.apache.org/documentation/#record."""

from collections.abc import Iterator

from medkg_lab.broker.embedded import compression
from medkg_lab.broker.embedded.batch import HEADER_BYTES, read_header
from medkg_lab.broker.embedded.compression import Buffer


def first_at(data: bytes, timestamp: int, start: int = 0) -> tuple[int, int] | None:
    """(offset, time) of the first record in the batch `data` at offset `start` or above with a time of at least `timestamp`.

    None when there is none. A body that cannot be unpacked or parsed, although its checksum is right, is the producer's own
    making: the answer is its first offset then, so that a reader that begins there misses nothing.
    """
    batch = read_header(data)
    assert batch is not None, "the log hands over whole batches"
    body = compression.unpack(data[HEADER_BYTES:], batch.codec)
    try:
        for offset_delta, time_delta in _record_times(body or b"", batch.records):
            offset, time = batch.base_offset + offset_delta, batch.base_timestamp + time_delta
            if offset >= start and time >= timestamp:
                return offset, time
    except IndexError:
        return max(batch.base_offset, start), batch.base_timestamp
    return None


def _record_times(body: Buffer, count: int) -> Iterator[tuple[int, int]]:
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


def _varint(data: Buffer, position: int) -> tuple[int, int]:
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
