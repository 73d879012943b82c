"""The broker of these tests."""

from tests.brokers import broker

__all__ = ["broker"]
