"""Unpacking what producers compressed, within a bound on memory.

The broker stores and sends batches as they came; it unpacks one only to look for a time in it, or to see how large it is when
it comes from outside. Source: "Record Batch" in
https://kafka.apache.org/documentation/#recordbatch; snappy comes raw or in the block framing of the Java library xerial.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import cramjam

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Bytes to which a batch may unpack; honest ones stay far below, for what is sent at once is bounded before it is packed."""

_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16
_BLOCK_LENGTH = struct.Struct(">i")
_LEAST_ROOM, _GROWTH = 256 * 1024, 8

Buffer = bytes | bytearray | memoryview


def unpack(body: bytes, codec: int, limit: int = LIMIT_BYTES) -> Buffer | None:
    """The records in a batch's `body`, or None when it is damaged or unpacks to more than `limit` bytes."""
    try:
        return _UNPACK[codec](body, limit)
    except (zlib.error, cramjam.DecompressionError, struct.error):
        return None


def _gzip(body: bytes, limit: int) -> bytes | None:
    unpacker = zlib.decompressobj(wbits=31)
    plain = unpacker.decompress(body, limit)
    return plain if unpacker.eof else None


def _snappy(body: bytes, limit: int) -> bytes | None:
    blocks = _blocks(body) if body.startswith(_XERIAL) else [body]
    parts, room = [], limit
    for block in blocks:
        room -= cramjam.snappy.decompress_raw_len(block)
        if room < 0:
            return None
        parts.append(bytes(cramjam.snappy.decompress_raw(block)))
    return b"".join(parts)


def _blocks(body: bytes) -> Iterator[bytes]:
    position = _XERIAL_HEADER_BYTES
    while position < len(body):
        (length,) = _BLOCK_LENGTH.unpack_from(body, position)
        position += _BLOCK_LENGTH.size
        yield body[position : position + max(length, 0)]
        position += max(length, 0)


def _streamed(unpack_into: Callable[[bytes, bytearray], int]) -> Callable[[bytes, int], Buffer | None]:
    """Unpacking of a format that need not say how long its contents are: with more room until they fit."""

    def unpacked(body: bytes, limit: int) -> Buffer | None:
        room = min(max(_LEAST_ROOM, _GROWTH * len(body)), limit)
        while True:
            target = bytearray(room)
            try:
                return memoryview(target)[: unpack_into(body, target)]
            except cramjam.DecompressionError:
                if room == limit:
                    return None
            room = min(room * _GROWTH, limit)

    return unpacked


_UNPACK: Final[dict[int, Callable[[bytes, int], Buffer | None]]] = {
    NONE: lambda body, _: body,
    GZIP: _gzip,
    SNAPPY: _snappy,
    LZ4: _streamed(cramjam.lz4.decompress_into),
    ZSTD: _streamed(cramjam.zstd.decompress_into),
}
