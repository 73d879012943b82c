"""The lab's topics are made again by the bridge's keeper, and its clients go on with them."""

import threading
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient

from medkg_lab import process
from medkg_lab.bridge.topics import TopicMaintainer
from medkg_lab.broker.client import Consumer, produce, topic_listing
from medkg_lab.broker.topics import LEDGER_LOG, REQUESTS, lab_topics
from tests.brokers import BrokerProcess, ensure_topics, librdkafka
from tests.waiting import wait_until


@pytest.fixture
def kept(broker: BrokerProcess) -> Iterator[BrokerProcess]:
    """A broker whose topics somebody looks after."""
    broker.start()
    ensure_topics(broker.bootstrap)
    stopping = process.Stopping()
    thread = threading.Thread(target=TopicMaintainer(broker.bootstrap, lab_topics()).run, args=(stopping,))
    thread.start()
    yield broker
    stopping.stop()
    thread.join()


def delete(broker: BrokerProcess, *names: str) -> None:
    admin = AdminClient(librdkafka(broker.bootstrap))
    for answer in admin.delete_topics(list(names)).values():
        answer.result(20)


def there(broker: BrokerProcess) -> set[str]:
    return {str(one.topic) for one in topic_listing(broker.bootstrap)}


def test_what_is_deleted_comes_again_also_after_the_broker_was_away(kept: BrokerProcess) -> None:
    delete(kept, REQUESTS, LEDGER_LOG)
    wait_until(lambda: {REQUESTS, LEDGER_LOG} <= there(kept), 20, "the topics")
    kept.kill()
    kept.start()
    delete(kept, REQUESTS)
    wait_until(lambda: REQUESTS in there(kept), 40, "the topic")


def test_a_member_reads_on_from_the_beginning_of_the_new_topic(kept: BrokerProcess) -> None:
    with Consumer(kept.bootstrap, "g", [REQUESTS]) as consumer:
        produce(kept.bootstrap, REQUESTS, b"before")
        first = wait_until(lambda: consumer.poll(0.2), 20, "the record")
        consumer.commit(first)
        delete(kept, REQUESTS)
        wait_until(lambda: REQUESTS in there(kept), 20, "the topic")
        for number in range(8):
            produce(kept.bootstrap, REQUESTS, b"%d" % number)
        seen: set[bytes | None] = set()
        wait_until(lambda: seen.update(one.value for one in consumer.poll(0.2)) or len(seen) == 8, 30, "all records")
