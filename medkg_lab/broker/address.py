"""Where a lab's broker is and how its clients are let in, in librdkafka's keys."""

from dataclasses import dataclass, field
from pathlib import Path

from medkg_lab import credentials
from medkg_lab.locations import Locations
from medkg_lab.settings import BrokerSettings

PASSWORD_BYTES = 65_536
"""Bytes that a file with a password may have."""


@dataclass(frozen=True)
class Address:
    """Where a Kafka-protocol broker is: `servers` as `host:port[,host:port]`, and librdkafka's settings to be let in.

    `own_port` is the port of a broker that this lab runs itself: nothing is sent there while another user's program has it.
    """

    servers: str
    security: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    own_port: int | None = None

    def __str__(self) -> str:
        return self.servers


def producer_password_file(chosen: BrokerSettings, locations: Locations) -> Path:
    """The file with the password of the embedded broker's account for producers."""
    pinned = chosen.producer_password_file
    if pinned is None:
        return credentials.password_file(locations, credentials.PRODUCER_ACCOUNT)
    return locations.config / pinned.expanduser()


def scram_login(username: str, password: str) -> dict[str, str]:
    """librdkafka's settings to log in to the embedded broker."""
    return login("sasl_plaintext", "SCRAM-SHA-256", username, password)


def login(protocol: str, mechanism: str, username: str, password: str) -> dict[str, str]:
    """librdkafka's settings to log in by SASL."""
    return {
        "security.protocol": protocol,
        "sasl.mechanism": mechanism,
        "sasl.username": username,
        "sasl.password": password,
    }
