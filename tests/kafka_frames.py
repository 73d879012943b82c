"""Bare Kafka requests: encoded and decoded by kio alone, with a login by kafka-python's SCRAM."""

import datetime
import io
import socket
import struct
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

from kafka.net.sasl.scram import ScramClient
from kio.index import load_request_schema, load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader, entity_writer

from medkg_lab.broker.embedded import codec

HANDSHAKE, AUTHENTICATE = 17, 36


def request(key: int, version: int, values: dict[str, Any]) -> bytes:
    """A whole frame with its length."""
    schema = load_request_schema(key, version)
    header = schema.__header_schema__
    head = {"request_api_key": key, "request_api_version": version, "correlation_id": 7, "client_id": "me"}
    out = io.BytesIO()
    entity_writer(header)(out, entity(header, {field.name: head[field.name] for field in codec._fields(header)}))
    entity_writer(schema)(out, entity(schema, values))
    return struct.pack(">i", len(out.getvalue())) + out.getvalue()


def entity(schema: type, values: dict[str, Any]) -> Any:
    """What kio's writers take, with the values of fields by name; those that `schema` does not have are left out."""
    return schema(
        **{field.name: _value(field, values[field.name]) for field in codec._fields(schema) if field.name in values}
    )


def _value(field: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, list | tuple | range):
        return tuple(_value(field, one) for one in value)
    if field.nested:
        return entity(field.nested, value)
    match field.kafka_type:
        case "error_code":
            return ErrorCode(value)
        case "timedelta_i32" | "timedelta_i64":
            return datetime.timedelta(milliseconds=value)
        case "datetime_i64":
            return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(milliseconds=value)
        case _:
            return value


def ask(connection: socket.socket, key: int, version: int, values: dict[str, Any]) -> Any:
    """Send a request and return the decoded answer."""
    connection.sendall(request(key, version, values))
    (size,) = struct.unpack(">i", _exactly(connection, 4))
    schema = load_response_schema(key, version)
    data = _exactly(connection, size)
    _, head = entity_reader(schema.__header_schema__)(data, 0)
    return entity_reader(schema)(data, head)[0]


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            raise ConnectionResetError("the broker closed the connection")
        data += chunk
    return data


def log_in(connection: socket.socket, user: str, password: str) -> ErrorCode:
    """Go through the login; returns the error of the last answer."""
    assert ask(connection, HANDSHAKE, 1, {"mechanism": "SCRAM-SHA-256"}).error_code == ErrorCode.none
    client = ScramClient(user, password, "SCRAM-SHA-256")
    first = ask(connection, AUTHENTICATE, 1, {"auth_bytes": client.first_message()})
    client.process_server_first_message(bytes(first.auth_bytes))
    last = ask(connection, AUTHENTICATE, 1, {"auth_bytes": client.final_message()})
    if last.error_code == ErrorCode.none:
        client.process_server_final_message(bytes(last.auth_bytes))
    return ErrorCode(last.error_code)


def log_in_bare(connection: socket.socket, user: str, password: str) -> None:
    """Go through the login of clients that know SaslHandshake in version 0 alone: its messages follow without requests."""
    assert ask(connection, HANDSHAKE, 0, {"mechanism": "SCRAM-SHA-256"}).error_code == ErrorCode.none
    client = ScramClient(user, password, "SCRAM-SHA-256")
    client.process_server_first_message(_bare(connection, client.first_message()))
    client.process_server_final_message(_bare(connection, client.final_message()))


def _bare(connection: socket.socket, message: bytes) -> bytes:
    connection.sendall(struct.pack(">i", len(message)) + message)
    return _exactly(connection, *struct.unpack(">i", _exactly(connection, 4)))


def error_codes(answer: Any) -> Iterator[ErrorCode]:
    """Every error code in an answer, wherever it stands."""
    if isinstance(answer, ErrorCode):
        yield answer
    elif isinstance(answer, tuple):
        for one in answer:
            yield from error_codes(one)
    elif is_dataclass(answer):
        for field in codec._fields(type(answer)):
            yield from error_codes(getattr(answer, field.name))
