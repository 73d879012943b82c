"""Kafka requests and answers as the records of `requests` and `responses`: the only module that knows the codec library.

kio's generated classes, one per API and version, are the schema, and its writers encode the answers. Requests are decoded
here over the same schema, because kio's native reader reserves memory for whatever array length a frame claims and then
aborts the process; this one bounds every length by the bytes that are there. A record's fields have the names of Kafka's message
definitions in snake case; fields of a version that its record does not have are passed over, those that the version does not
have keep the record's default.
"""

import dataclasses
import datetime
import functools
import io
import struct
import types
import typing
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kio.index import KioIndexError
from kio.index import load_request_schema as _load_request_schema
from kio.index import load_response_schema as _load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_writer

from medkg_lab.broker.embedded.errors import MalformedFrame
from medkg_lab.broker.embedded.requests import Message

Body = TypeVar("Body", bound=Message, covariant=True)
RetrieverQuery = TypeVar("RetrieverQuery", bound=Message)

MAX_ELEMENTS = 200_000
"""Array elements in one request, all arrays together: each becomes a Python object."""

_PREFIX = struct.Struct(">hhi")
_NUMBERS = {
    "int8": struct.Struct(">b"),
    "int16": struct.Struct(">h"),
    "int32": struct.Struct(">i"),
    "int64": struct.Struct(">q"),
    "uint16": struct.Struct(">H"),
    "uint32": struct.Struct(">I"),
    "float64": struct.Struct(">d"),
    "error_code": struct.Struct(">h"),
    "timedelta_i32": struct.Struct(">i"),
    "timedelta_i64": struct.Struct(">q"),
    "datetime_i64": struct.Struct(">q"),
}
# Looking a schema up by its import path takes longer than decoding a small request with it.
load_request_schema = functools.cache(_load_request_schema)
load_response_schema = functools.cache(_load_response_schema)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Head:
    """The part of a request that every API and version shares."""

    api_key: int
    version: int
    correlation_id: int


@dataclass(frozen=True, slots=True)
class Request(Generic[Body]):
    """A decoded request."""

    head: Head
    client_id: str
    body: Body


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    kafka_type: str
    nested: Any
    array: bool
    nullable: bool
    required: bool
    tagged: bool


class _Cursor:
    """A position in a frame; every read is checked against the frame's end."""

    __slots__ = ("data", "elements", "position")

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position
        self.elements = 0

    def read(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise MalformedFrame(detail=f"{count} bytes claimed at byte {self.position} of {len(self.data)}")
        chunk = self.data[self.position : end]
        self.position = end
        return chunk

    def number(self, layout: struct.Struct) -> Any:
        return layout.unpack(self.read(layout.size))[0]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.read(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise MalformedFrame(detail=f"a variable-length integer does not end at byte {self.position}")

    def count(self, elements: int) -> int:
        self.elements += elements
        if elements > len(self.data) - self.position or self.elements > MAX_ELEMENTS:
            raise MalformedFrame(detail=f"an array of {elements} elements at byte {self.position} of {len(self.data)}")
        return elements


_Read = Callable[[_Cursor], Any]


def read_head(frame: bytes) -> Head:
    """Read API key, version and correlation id from `frame` (without its length). Raises MalformedFrame."""
    if len(frame) < _PREFIX.size:
        raise MalformedFrame(detail=f"a frame of {len(frame)} bytes")
    return Head(*_PREFIX.unpack_from(frame))


def decode_request(frame: bytes, record: type[RetrieverQuery]) -> Request[RetrieverQuery]:
    """Decode `frame` (without its length) into a `record`. Raises MalformedFrame.

    Bytes left over are passed over, as Kafka's own brokers do: librdkafka 2.16 sends one too many with Metadata version 9.
    The caller has checked that the API is offered in this version.
    """
    head = read_head(frame)
    schema = load_request_schema(head.api_key, head.version)
    cursor = _Cursor(frame, _PREFIX.size)
    client_id = _short_text(cursor, nullable=True)
    if schema.__header_schema__.__flexible__:
        _skip_tags(cursor)
    body = _entity_reader(schema, record)(cursor)
    return Request(head=head, client_id=client_id or "", body=body)


def encode_response(head: Head, body: Message) -> bytes:
    """Encode the answer to the request with `head`, with its length in front."""
    schema = load_response_schema(head.api_key, head.version)
    return _encode(head, schema, _builder(schema, type(body))(body))


def encode_refusal(head: Head, code: int) -> bytes | None:
    """Encode an answer to the request with `head` that has `code` wherever it has an error code of its own, and nothing in
    its lists; None when the API or the version is unknown."""
    try:
        schema = load_response_schema(head.api_key, head.version)
    except KioIndexError:
        return None
    return _encode(head, schema, _blank(schema, code))


def _encode(head: Head, schema: Any, entity: Any) -> bytes:
    header_schema = schema.__header_schema__
    out = io.BytesIO()
    out.write(b"\0\0\0\0")
    entity_writer(header_schema)(out, header_schema(correlation_id=head.correlation_id))
    entity_writer(schema)(out, entity)
    with out.getbuffer() as view:
        struct.pack_into(">i", view, 0, len(view) - 4)
    return out.getvalue()


def _blank(schema: type, code: int) -> Any:
    return schema(**{field.name: _nothing(field, code) for field in _fields(schema) if field.required})


def _nothing(field: "_Field", code: int) -> Any:
    if field.array:
        return ()
    if field.nested:
        return _blank(field.nested, code)
    if field.nullable:
        return None
    blanks: dict[str, object] = {"string": "", "bytes": b"", "records": b"", "bool": False, "uuid": uuid.UUID(int=0)}
    if field.kafka_type in blanks:
        return blanks[field.kafka_type]
    convert = _CONVERSIONS.get(field.kafka_type)
    number = code if field.kafka_type == "error_code" else 0
    return convert(number) if convert else number


@functools.cache
def _fields(schema: type) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(schema)
    return tuple(_describe(field, hints[field.name]) for field in dataclasses.fields(schema))


def _describe(field: "dataclasses.Field[Any]", hint: Any) -> _Field:
    outer, nullable = _without_none(hint)
    array = typing.get_origin(outer) is tuple
    concrete = _without_none(typing.get_args(outer)[0])[0] if array else outer
    return _Field(
        name=field.name,
        kafka_type=field.metadata.get("kafka_type", ""),
        nested=concrete if dataclasses.is_dataclass(concrete) else None,
        array=array,
        nullable=nullable,
        required=field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        tagged="tag" in field.metadata,
    )


def _without_none(hint: Any) -> tuple[Any, bool]:
    """The type in `hint` and whether it allows None beside it."""
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint, False
    return next(option for option in typing.get_args(hint) if option is not types.NoneType), True


def _hints(record: type[Message]) -> dict[str, tuple[Any, bool]]:
    """The type of each field of `record` and whether it allows None beside it."""
    return {name: _without_none(hint) for name, hint in typing.get_type_hints(record).items()}


def _element(hint: Any) -> Any:
    """The record in the type of a field, or of its elements; None where it has no records."""
    elements = typing.get_args(hint) if typing.get_origin(hint) is tuple else (hint,)
    return next((one for one in elements if isinstance(one, type) and issubclass(one, Message)), None)


@functools.cache
def _entity_reader(schema: type, record: type[Message] | None) -> _Read:
    """A reader of a structure into a `record`; without one, of a structure that is passed over."""
    flexible = bool(getattr(schema, "__flexible__", False))
    hints = _hints(record) if record else {}
    readers = [
        (
            field.name if field.name in hints else None,
            _field_reader(field, flexible, *hints.get(field.name, (None, True))),
        )
        for field in _fields(schema)
        if not field.tagged
    ]

    def read(cursor: _Cursor) -> Message | None:
        values = {}
        for name, reader in readers:
            value = reader(cursor)
            if name is not None:
                values[name] = value
        if flexible:
            _skip_tags(cursor)
        return record(**values) if record else None

    return read


def _field_reader(field: _Field, flexible: bool, hint: Any, may_be_none: bool) -> _Read:
    element = _entity_reader(field.nested, _element(hint)) if field.nested else _plain_reader(field, flexible)
    if not field.array:
        return _nullable(element) if field.nested and field.nullable else element
    nothing = None if may_be_none else ()

    def read_array(cursor: _Cursor) -> tuple[Any, ...] | None:
        length = cursor.varint() - 1 if flexible else cursor.number(_NUMBERS["int32"])
        if length < 0:
            return nothing
        return tuple([element(cursor) for _ in range(cursor.count(length))])

    return read_array


def _nullable(read: _Read) -> _Read:
    """A structure that may be null has a byte in front of it, negative when it is (KIP-893)."""
    return lambda cursor: None if cursor.number(_NUMBERS["int8"]) < 0 else read(cursor)


def _plain_reader(field: _Field, flexible: bool) -> _Read:
    nullable = field.nullable and not field.array
    match field.kafka_type:
        case "string":
            read = _compact_text if flexible else _short_text
            return functools.partial(read, nullable=nullable)
        case "bytes" | "records":
            return functools.partial(_blob, flexible=flexible, nullable=nullable)
        case "bool":
            return lambda cursor: cursor.read(1) != b"\0"
        case "uuid":
            return lambda cursor: uuid.UUID(bytes=cursor.read(16))
        case number:
            layout = _NUMBERS[number]
            return lambda cursor: cursor.number(layout)


def _short_text(cursor: _Cursor, nullable: bool) -> str | None:
    return _text(cursor, cursor.number(_NUMBERS["int16"]), nullable)


def _compact_text(cursor: _Cursor, nullable: bool) -> str | None:
    return _text(cursor, cursor.varint() - 1, nullable)


def _text(cursor: _Cursor, length: int, nullable: bool) -> str | None:
    if length == -1 and nullable:
        return None
    try:
        return cursor.read(length).decode()
    except UnicodeDecodeError:
        raise MalformedFrame(detail=f"text that is not UTF-8 before byte {cursor.position}") from None


def _blob(cursor: _Cursor, flexible: bool, nullable: bool) -> bytes | None:
    length = cursor.varint() - 1 if flexible else cursor.number(_NUMBERS["int32"])
    return None if length == -1 and nullable else cursor.read(length)


def _skip_tags(cursor: _Cursor) -> None:
    """Pass over tagged fields: no request in an offered version has one that matters here."""
    for _ in range(cursor.count(cursor.varint())):
        cursor.varint()
        cursor.read(cursor.varint())


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "error_code": ErrorCode,
    "timedelta_i32": lambda value: datetime.timedelta(milliseconds=value),
    "timedelta_i64": lambda value: datetime.timedelta(milliseconds=value),
    "datetime_i64": lambda value: _EPOCH + datetime.timedelta(milliseconds=value),
}
"""How the numbers of the records become what kio's writers take."""


@functools.cache
def _builder(schema: type, record: type[Message]) -> Callable[[Any], Any]:
    """What makes an entity of `schema` out of a `record`, with the fields that both have."""
    hints = _hints(record)
    parts = [(field.name, _conversion(field, hints[field.name][0])) for field in _fields(schema) if field.name in hints]

    def build(values: Message) -> Any:
        ready = {}
        for name, convert in parts:
            value = getattr(values, name)
            ready[name] = value if convert is None or value is None else convert(value)
        return schema(**ready)

    return build


def _conversion(field: _Field, hint: Any) -> Callable[[Any], Any] | None:
    convert = _CONVERSIONS.get(field.kafka_type)
    if field.nested and (record := _element(hint)) is not None:
        convert = _builder(field.nested, record)
    if convert is None or not field.array:
        return convert
    return lambda values: tuple([convert(value) for value in values])
