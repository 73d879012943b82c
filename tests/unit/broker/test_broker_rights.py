"""Who may do what, and who has a place."""

import dataclasses

import pytest

from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.handlers.registry import APIS
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.places import Places
from medkg_lab.broker.embedded.rights import Kind, Rights

QUEUE = "x.ingest.requests.v1"
REFUSALS = {
    Kind.TOPIC: Code.TOPIC_AUTHORIZATION_FAILED,
    Kind.GROUP: Code.GROUP_AUTHORIZATION_FAILED,
    Kind.CLUSTER: Code.CLUSTER_AUTHORIZATION_FAILED,
}
PRODUCE, LIST_OFFSETS, METADATA, INIT_PRODUCER_ID, DESCRIBE_CONFIGS, DESCRIBE_CLUSTER = 0, 2, 3, 22, 32, 60
DESCRIBE_TOPIC_PARTITIONS = 75


@pytest.mark.parametrize("kind", Kind)
def test_the_lab_may_everything(kind: Kind) -> None:
    rights = Rights("lab", QUEUE)
    assert {rights.refusal(api, kind, name) for api in APIS for name in ("", QUEUE, "other")} == {Code.NONE}


def test_a_producer_may_write_requests_and_see_what_that_takes() -> None:
    rights = Rights("producer", QUEUE)
    allowed = {(api, kind) for api in APIS for kind in Kind if not rights.refusal(api, kind, QUEUE)}
    with_topic = {PRODUCE, LIST_OFFSETS, METADATA, DESCRIBE_CONFIGS, DESCRIBE_TOPIC_PARTITIONS}
    with_cluster = {INIT_PRODUCER_ID, DESCRIBE_CLUSTER}
    assert allowed == {(api, Kind.TOPIC) for api in with_topic} | {(api, Kind.CLUSTER) for api in with_cluster}


@pytest.mark.parametrize("name", ["", "ingest.requests.v1", "x.ledger.log.v1", QUEUE + "2", QUEUE.upper()])
def test_a_producer_has_no_right_to_another_topic(name: str) -> None:
    rights = Rights("producer", QUEUE)
    assert {rights.refusal(api, Kind.TOPIC, name) for api in APIS} == {Code.TOPIC_AUTHORIZATION_FAILED}


@pytest.mark.parametrize("account", ["", "nobody", "Lab"])
@pytest.mark.parametrize("kind", Kind)
def test_nobody_else_has_any(account: str, kind: Kind) -> None:
    assert {Rights(account, QUEUE).refusal(api, kind, QUEUE) for api in APIS} == {REFUSALS[kind]}


def test_nobody_but_the_lab_writes_as_the_labs_producers() -> None:
    lab, producer, nobody = (Rights(account, QUEUE) for account in ("lab", "producer", ""))
    labs, others = ([rights.producer_id(number) for number in range(1, 100)] for rights in (lab, producer))
    assert len({*labs, *others}) == 198
    assert not any(producer.may_write_as(number) or nobody.may_write_as(number) for number in labs)
    assert all(producer.may_write_as(number) for number in (-1, *others))
    assert all(lab.may_write_as(number) for number in (-1, *labs, *others))


LIMITS = dataclasses.replace(Limits(), connections=5, reserved_connections=2, waiting_connections=3)
ALICE, MALLORY = 1001, 1002


def test_who_fills_the_room_closes_only_their_own() -> None:
    places: Places[str] = Places(LIMITS)
    assert [places.arrive(f"m{n}", MALLORY) for n in range(3)] == [None] * 3
    assert places.arrive("a", ALICE) == "m0"
    assert places.arrive("m3", MALLORY) == "m1"
    assert places.arrive("m4", MALLORY) == "m2"
    assert places.enter("a", "lab")
    assert places.arrive("m5", MALLORY) is None
    assert len(places) == 4


def test_some_places_are_the_labs_alone() -> None:
    places: Places[int] = Places(LIMITS)
    assert [places.enter(n, "producer") for n in range(4)] == [True, True, True, False]
    assert [places.enter(n, "lab") for n in (10, 11, 12)] == [True, True, False]
    places.leave(0)
    assert places.enter(4, "producer")
    places.leave(10)
    assert not places.enter(5, "producer")
    assert places.enter(13, "lab")


def test_a_place_is_given_back_once() -> None:
    places: Places[int] = Places(LIMITS)
    places.arrive(1, None)
    places.leave(1)
    places.leave(1)
    assert len(places) == 0
