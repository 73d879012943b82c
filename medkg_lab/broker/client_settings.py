"""What every librdkafka client of the lab is made with: where the broker is, how to be let in, and to keep quiet."""

import logging
from typing import Any

from medkg_lab.broker.address import Address
from medkg_lab.port_use import require_own

_log = logging.getLogger("medkg_lab.broker.client")

Bootstrap = str | Address
"""A broker by its servers alone, or with what it takes to be let in."""

_QUIET: dict[str, object] = {
    "log_level": 0,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    "error_cb": lambda error: _log.debug("kafka: %s", error.str()),
}
"""librdkafka prints a line on stderr for each lost connection; errors reach the caller anyway."""


def client_settings(bootstrap: Bootstrap) -> dict[str, Any]:
    """The settings that are common to producers, consumers and administration. Raises PortTakenByOther."""
    if isinstance(bootstrap, Address) and bootstrap.own_port is not None:
        require_own(bootstrap.own_port, "the broker")
    security = dict(bootstrap.security) if isinstance(bootstrap, Address) else {}
    return {"bootstrap.servers": str(bootstrap), **_QUIET, **security}
