"""Settings that keep librdkafka from printing on the terminal."""

import logging
from typing import Any

_log = logging.getLogger("medkg_lab.broker.client")

QUIET: dict[str, Any] = {
    "log_level": 0,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1000,
    "error_cb": lambda error: _log.debug("kafka: %s", error.str()),
}
"""For every client: librdkafka prints a line on stderr for each lost connection; errors reach the caller anyway."""
