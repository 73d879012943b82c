"""The codec against two others: kio writes the requests that it reads, kafka-python reads the answers that it writes."""

import importlib
import struct
import typing
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.api_message import ApiMessage
from kio.index import load_request_schema, load_response_schema

from medkg_lab.broker.embedded import codec
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import MalformedFrame
from medkg_lab.broker.embedded.handlers.registry import API_VERSIONS, APIS
from medkg_lab.broker.embedded.requests import Message, MetadataRequest
from medkg_lab.broker.embedded.responses import ApiVersionsResponse
from tests import kafka_frames

OFFERED = [(api.key, version) for api in APIS.values() for version in range(api.low, api.high + 1)]
SAMPLES: dict[str, Any] = {
    "string": "naïve",
    "bytes": b"\0\xff",
    "records": b"opaque",
    "bool": True,
    "int8": -2,
    "int16": 300,
    "int32": 70_000,
    "int64": 2**40,
    "timedelta_i32": 1500,
    "timedelta_i64": 1500,
    "float64": 0.5,
    "datetime_i64": 1_700_000_000_123,
    "error_code": int(Code.REBALANCE_IN_PROGRESS),
    "uuid": uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
}
NO_UUID = uuid.UUID(int=0)
"""What stands on the wire where a topic has no UUID."""
CONSUMER_GROUP_HEARTBEAT, SHARE_GROUP_HEARTBEAT = 68, 76
UNDERSTOOD = [offer for offer in OFFERED if offer[0] not in (CONSUMER_GROUP_HEARTBEAT, SHARE_GROUP_HEARTBEAT)]
"""kafka-python has nothing of KIP-848 and KIP-932; librdkafka reads those answers in the conformance tests."""


def sample(schema: type, empty: bool) -> dict[str, Any]:
    """A value for every field of `schema`; with `empty`, null where that is allowed and no elements elsewhere."""
    return {field.name: sample_field(field, empty) for field in codec._fields(schema) if not field.tagged}


def sample_field(field: Any, empty: bool) -> Any:
    if empty and field.nullable:
        return NO_UUID if field.kafka_type == "uuid" and not field.array else None
    element = sample(field.nested, empty) if field.nested else SAMPLES[field.kafka_type]
    return ([] if empty else [element, element]) if field.array else element


def encode_request(key: int, version: int, values: dict[str, Any]) -> bytes:
    """Encode a request with kio's writers alone."""
    return kafka_frames.request(key, version, values)[4:]


def decode(frame: bytes) -> codec.Request[Message]:
    """Decode a frame into the record of its API."""
    return codec.decode_request(frame, APIS[codec.read_head(frame).api_key].request)


def assert_read(record: Message, written: dict[str, Any]) -> None:
    """Every field of `record` is as it was written, or has its default where the version does not have it."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(record)}
    for name, default in defaults.items():
        read = getattr(record, name)
        assert_same_value(read, written[name]) if name in written else assert_default(read, default)


def assert_default(read: Any, default: Any) -> None:
    assert default is not msgspec.NODEFAULT
    assert read == default


def assert_same_value(read: Any, written: Any) -> None:
    if isinstance(read, Message):
        assert_read(read, written)
    elif isinstance(read, tuple):
        for one, other in zip(read, written or (), strict=True):
            assert_same_value(one, other)
    else:
        assert read == written


def answer_type(key: int) -> Any:
    """The record of the answers to an API, as its handler declares it."""
    declared = typing.get_type_hints(APIS[key].handler)["return"]
    return next((one for one in typing.get_args(declared) if one is not type(None)), declared)


def record_of(kind: type[Message], values: dict[str, Any]) -> Message:
    """A `kind` with the values of its fields; those that the version does not have are not looked at."""
    hints = codec._hints(kind)
    missing = {one.name: None for one in msgspec.structs.fields(kind) if one.required and one.name not in values}
    return kind(**missing, **{name: value_of(hints[name][0], value) for name, value in values.items() if name in hints})


def value_of(hint: Any, value: Any) -> Any:
    record = codec._element(hint)
    if isinstance(value, list):
        return tuple(record_of(record, one) if record else one for one in value if record or hint != tuple[()])
    return record_of(record, value) if record and value is not None else value


def has_value(field: Any, ours: Message) -> bool:
    """Whether a field is one of the answer's record and not one that this broker always leaves as it is."""
    # kafka-python turns these bit sets into names.
    return not field.tagged and hasattr(ours, field.name) and not field.name.endswith("authorized_operations")


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize(("key", "version"), OFFERED)
def test_every_offered_request_is_read_as_it_was_written(key: int, version: int, empty: bool) -> None:
    values = sample(load_request_schema(key, version), empty)
    request = decode(encode_request(key, version, values))
    assert_read(request.body, values)
    assert request.head == codec.Head(key, version, 7)
    assert request.client_id == "me"


def kafka_python_class(key: int) -> type[ApiMessage]:
    for area in ("metadata", "consumer", "producer", "admin", "sasl"):
        module = importlib.import_module(f"kafka.protocol.{area}")
        for name in dir(module):
            found = getattr(module, name)
            if name.endswith("Response") and getattr(found, "API_KEY", None) == key:
                return found
    raise AssertionError(f"kafka-python has no answer for API {key}")


def assert_same(schema: type, ours: Message, theirs: object) -> None:
    for field in codec._fields(schema):
        if not has_value(field, ours):
            continue
        name = next(name for name in (field.name, f"{field.name}_ms") if hasattr(theirs, name))
        found, expected = getattr(theirs, name), getattr(ours, field.name)
        if expected is None:
            assert found is None, field.name
        elif field.array and not field.nested:
            assert tuple(found) == expected, field.name
        elif field.array:
            for one, other in zip(expected, found, strict=True):
                assert_same(field.nested, one, other)
        elif field.nested:
            assert_same(field.nested, expected, found)
        else:
            assert found == expected, field.name


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize(("key", "version"), UNDERSTOOD)
def test_every_offered_answer_is_understood_by_another_library(key: int, version: int, empty: bool) -> None:
    schema = load_response_schema(key, version)
    values = sample(schema, empty)
    if key == API_VERSIONS:
        values["error_code"] = int(Code.NONE)  # with an error every client reads the answer as version 0
    answer = record_of(answer_type(key), values)
    frame = codec.encode_response(codec.Head(key, version, 99), answer)
    assert struct.unpack_from(">i", frame) == (len(frame) - 4,)
    message = kafka_python_class(key).decode(frame[4:], version=version, header=True)
    assert message.header.correlation_id == 99
    assert_same(schema, answer, message)


def test_a_field_that_a_version_does_not_have_is_left_out() -> None:
    body = ApiVersionsResponse(api_keys=(), throttle_time=5)
    assert codec.encode_response(codec.Head(18, 0, 1), body) == struct.pack(">iihi", 10, 1, 0, 0)


def is_request_or_malformed(frame: bytes) -> bool:
    """Whether decoding gives a request with its fields, or says that the frame is malformed."""
    try:
        return isinstance(decode(frame).body, Message)
    except MalformedFrame as error:
        return "no request" in str(error)


@given(st.sampled_from(OFFERED), st.binary(max_size=200))
def test_arbitrary_bytes_are_a_request_or_malformed(api: tuple[int, int], body: bytes) -> None:
    frame = struct.pack(">hhih", *api, 1, -1) + body
    assert is_request_or_malformed(frame)


@given(st.sampled_from(OFFERED), st.data())
def test_a_request_with_changed_bytes_is_a_request_or_malformed(api: tuple[int, int], data: st.DataObject) -> None:
    frame = bytearray(encode_request(*api, sample(load_request_schema(*api), False)))
    at = data.draw(st.integers(8, len(frame) - 1))
    frame[at] = data.draw(st.integers(0, 255))
    assert is_request_or_malformed(bytes(frame))


@pytest.mark.parametrize("count", [2**31 - 1, 100_000_000, codec.MAX_ELEMENTS + 1])
def test_an_array_longer_than_its_frame_costs_nothing(count: int) -> None:
    frame = struct.pack(">hhihi", 3, 1, 1, -1, count) + b"\0" * 64
    with pytest.raises(MalformedFrame, match="array"):
        decode(frame)


def test_more_elements_than_the_limit_are_refused_although_they_are_there() -> None:
    count = codec.MAX_ELEMENTS + 1
    frame = struct.pack(">hhihi", 3, 1, 1, -1, count) + b"\0\0" * count
    with pytest.raises(MalformedFrame, match="array"):
        decode(frame)


def test_bytes_after_the_request_are_passed_over() -> None:
    values = sample(load_request_schema(3, 9), False)
    written = encode_request(3, 9, values)
    assert decode(written + b"\0").body == decode(written).body


def test_the_request_for_all_topics_is_read_as_librdkafka_2_16_sends_it() -> None:
    frame = bytes.fromhex("0003000900000003000772646b61666b61000000000001000000")
    assert codec.decode_request(frame, MetadataRequest).body.topics is None


@pytest.mark.parametrize("size", range(8))
def test_a_frame_without_a_whole_head_is_malformed(size: int) -> None:
    with pytest.raises(MalformedFrame):
        codec.read_head(b"\0" * size)
