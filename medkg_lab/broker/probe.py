"""Asking a Kafka broker whether it serves: one Metadata request over a plain socket, without a client library.

The supervisor polls with this, so it imports nothing heavy. Metadata version 1 is understood by every broker since 0.10.
Source: "Metadata API" in https://kafka.apache.org/protocol.
"""

import socket
import struct
from dataclasses import dataclass

from medkg_lab.broker.errors import BrokerUnreachable

_METADATA, _VERSION, _CORRELATION = 3, 1, 1
_NO_TOPICS = struct.pack(">i", 0)
_CLIENT = b"medkg-lab-probe"
_MAX_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What a broker says of its cluster: addresses by node id."""

    brokers: dict[int, str]


def metadata(bootstrap: str, timeout: float = 2.0) -> Answer:
    """Ask the first of the comma-separated addresses `host:port` that answers within `timeout` seconds.

    Raises BrokerUnreachable with the last address's reason.
    """
    detail = "no address was given"
    for address in filter(None, (part.strip() for part in bootstrap.split(","))):
        host, _, port = address.rpartition(":")
        try:
            return _request(host.strip("[]"), int(port), timeout)
        except (OSError, ValueError, struct.error) as error:
            detail = f"{address}: {error}"
    raise BrokerUnreachable(bootstrap=bootstrap, detail=detail)


def _request(host: str, port: int, timeout: float) -> Answer:
    head = struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, len(_CLIENT))
    request = head + _CLIENT + _NO_TOPICS
    with socket.create_connection((host, port), timeout) as connection:
        connection.settimeout(timeout)
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", _receive(connection, 4))
        if not 8 <= size <= _MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of {size} bytes is not Kafka's")
        return _parse(_receive(connection, size))


def _receive(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            raise ConnectionResetError("the connection was closed")
        received += chunk
    return received


def _parse(answer: bytes) -> Answer:
    correlation, count = struct.unpack_from(">ii", answer)
    if correlation != _CORRELATION or count < 1:
        raise ValueError("the answer names no broker")
    brokers, position = {}, 8
    for _ in range(count):
        (node,) = struct.unpack_from(">i", answer, position)
        host, position = _text(answer, position + 4)
        (port,) = struct.unpack_from(">i", answer, position)
        _, position = _text(answer, position + 4)
        brokers[node] = f"{host}:{port}"
    return Answer(brokers)


def _text(answer: bytes, position: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", answer, position)
    position += 2
    if length < 0:
        return "", position
    return answer[position : position + length].decode(), position + length
