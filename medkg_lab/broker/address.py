"""Where a lab's broker is and how its clients are let in: from the settings and the lab's secrets to librdkafka's keys."""

from dataclasses import dataclass, field
from pathlib import Path

from medkg_lab import credentials
from medkg_lab.files import read_text
from medkg_lab.locations import Locations
from medkg_lab.ports import lab_ports
from medkg_lab.settings import BrokerSecurity, BrokerSettings, Settings, SettingsInvalid

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


def broker_address(chosen: Settings, locations: Locations) -> Address:
    """Where the broker listens, and how to be let in. Raises SettingsInvalid when a named password file is missing."""
    if chosen.broker.engine == "external":
        return Address(chosen.broker.bootstrap, tuple(_external_security(chosen.broker.security).items()))
    port = lab_ports(locations)["broker"]
    security: dict[str, str] = {}
    if chosen.broker.engine == "embedded" and chosen.broker.authentication == "scram":
        password = credentials.password(credentials.password_file(locations, credentials.LAB_ACCOUNT))
        security = scram_login(credentials.LAB_ACCOUNT, password)
    return Address(f"127.0.0.1:{port}", tuple(security.items()), port)


def producer_password_file(chosen: BrokerSettings, locations: Locations) -> Path:
    """The file with the password of the embedded broker's account for producers."""
    pinned = chosen.producer_password_file
    if pinned is None:
        return credentials.password_file(locations, credentials.PRODUCER_ACCOUNT)
    return locations.config / pinned.expanduser()


def scram_login(username: str, password: str) -> dict[str, str]:
    """librdkafka's settings to log in to the embedded broker."""
    return _login("sasl_plaintext", "SCRAM-SHA-256", username, password)


def _external_security(given: BrokerSecurity) -> dict[str, str]:
    found = {}
    if given.protocol.startswith("sasl"):
        try:
            password = read_text(given.password_file, PASSWORD_BYTES).strip() if given.password_file else ""
        except OSError as error:
            raise SettingsInvalid(path=given.password_file, detail=f"the password cannot be read: {error}") from None
        found = _login(given.protocol, given.mechanism, given.username, password)
    elif given.protocol != "plaintext":
        found = {"security.protocol": given.protocol}
    files = {"ca": given.ca_file, "certificate": given.certificate_file, "key": given.key_file}
    return found | {f"ssl.{name}.location": str(path) for name, path in files.items() if path is not None}


def _login(protocol: str, mechanism: str, username: str, password: str) -> dict[str, str]:
    return {
        "security.protocol": protocol,
        "sasl.mechanism": mechanism,
        "sasl.username": username,
        "sasl.password": password,
    }
