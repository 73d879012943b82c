"""The broker of these tests."""

from tests.brokers import broker, open_broker

__all__ = ["broker", "open_broker"]
