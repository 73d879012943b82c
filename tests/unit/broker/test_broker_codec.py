"""The codec against two others: kio writes the requests that it reads, kafka-python reads the answers that it writes."""

import importlib
import io
import struct
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.api_message import ApiMessage
from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_writer

from medkg_lab.broker.embedded import codec, requests
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import MalformedFrame
from medkg_lab.broker.embedded.handlers.registry import API_VERSIONS, APIS

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
    schema = load_request_schema(key, version)
    header = schema.__header_schema__
    head = {"request_api_key": key, "request_api_version": version, "correlation_id": 7, "client_id": "me"}
    out = io.BytesIO()
    entity_writer(header)(out, codec._build(header, {f.name: head[f.name] for f in codec._fields(header)}))
    entity_writer(schema)(out, codec._build(schema, values))
    return out.getvalue()


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize(("key", "version"), OFFERED)
def test_every_offered_request_is_read_as_it_was_written(key: int, version: int, empty: bool) -> None:
    values = sample(load_request_schema(key, version), empty)
    request = codec.decode_request(encode_request(key, version, values))
    assert request.body == values
    assert request.head == codec.Head(key, version, 7)
    assert request.client_id == "me"


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize(("key", "version"), OFFERED)
def test_the_handlers_record_reads_every_offered_request(key: int, version: int, empty: bool) -> None:
    values = sample(load_request_schema(key, version), empty)
    request = requests.typed(codec.decode_request(encode_request(key, version, values)), APIS[key].request)
    for name in request.body.__struct_fields__:
        if not isinstance(values.get(name, ()), list | dict | tuple):
            assert getattr(request.body, name) == values[name]


def kafka_python_class(key: int) -> type[ApiMessage]:
    for area in ("metadata", "consumer", "producer", "admin", "sasl"):
        module = importlib.import_module(f"kafka.protocol.{area}")
        for name in dir(module):
            found = getattr(module, name)
            if name.endswith("Response") and getattr(found, "API_KEY", None) == key:
                return found
    raise AssertionError(f"kafka-python has no answer for API {key}")


def assert_same(schema: type, ours: dict[str, Any], theirs: object) -> None:
    for field in codec._fields(schema):
        # kafka-python turns these bit sets into names.
        if field.tagged or field.name.endswith("authorized_operations"):
            continue
        name = next(name for name in (field.name, f"{field.name}_ms") if hasattr(theirs, name))
        found, expected = getattr(theirs, name), ours[field.name]
        if expected is None:
            assert found is None, field.name
        elif field.nested and field.array:
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
    frame = codec.encode_response(codec.Head(key, version, 99), values)
    assert struct.unpack_from(">i", frame) == (len(frame) - 4,)
    message = kafka_python_class(key).decode(frame[4:], version=version, header=True)
    assert message.header.correlation_id == 99
    assert_same(schema, values, message)


def test_a_field_that_a_version_does_not_have_is_left_out() -> None:
    body = {"error_code": 0, "api_keys": [], "throttle_time": 5, "no_such_field": 1}
    assert codec.encode_response(codec.Head(18, 0, 1), body) == struct.pack(">iihi", 10, 1, 0, 0)


def is_request_or_malformed(frame: bytes) -> bool:
    """Whether decoding gives a request with its fields, or says that the frame is malformed."""
    try:
        return isinstance(codec.decode_request(frame).body, dict)
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
        codec.decode_request(frame)


def test_more_elements_than_the_limit_are_refused_although_they_are_there() -> None:
    count = codec.MAX_ELEMENTS + 1
    frame = struct.pack(">hhihi", 3, 1, 1, -1, count) + b"\0\0" * count
    with pytest.raises(MalformedFrame, match="array"):
        codec.decode_request(frame)


def test_bytes_after_the_request_are_passed_over() -> None:
    values = sample(load_request_schema(3, 9), False)
    assert codec.decode_request(encode_request(3, 9, values) + b"\0").body == values


def test_the_request_for_all_topics_is_read_as_librdkafka_2_16_sends_it() -> None:
    frame = bytes.fromhex("0003000900000003000772646b61666b61000000000001000000")
    assert codec.decode_request(frame).body["topics"] is None


@pytest.mark.parametrize("size", range(8))
def test_a_frame_without_a_whole_head_is_malformed(size: int) -> None:
    with pytest.raises(MalformedFrame):
        codec.read_head(b"\0" * size)
