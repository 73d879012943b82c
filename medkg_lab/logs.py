"""The log lines of every process, as text or as JSON lines, and the fields by which they are found again.

A line that is about a job, a batch or a stage says so: `logger.info("…", extra=fields(job=job_id, event="pdf.requested"))`.
"""

import json
import logging
import os
import re
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, get_args

LogFormat = Literal["text", "json"]
FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)
VARIABLE = "MEDKG_LOG_FORMAT"
"""The environment variable by which a process says to those that it starts how they log."""
FIELDS = ("job", "batch", "stage", "event")

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_HIDDEN = "***"
_SECRETS = (
    (
        re.compile(r"(?i)((?:password|passwd|token|secret|api[_-]?key)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;})]+"),
        r"\1" + _HIDDEN,
    ),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}"), r"\1" + _HIDDEN),
    (re.compile(r"([?&]code=)[^\s&\"']+"), r"\1" + _HIDDEN),
    (re.compile(r"(://)[^\s/@:]+:[^\s/@]+@"), r"\1" + _HIDDEN + "@"),
)
"""What a secret looks like in a line: a named value, an Authorization header, a one-time code, the login in an address."""


def fields(*, event: str, job: str | None = None, batch: str | None = None, stage: str | None = None) -> dict[str, str]:
    """What a log call gives as `extra`: `event` names what happened, as `noun.verb`; the others say to whom."""
    given = {"job": job, "batch": batch, "stage": stage, "event": event}
    return {name: value for name, value in given.items() if value is not None}


def set_up(process: str, chosen: str | None = None) -> None:
    """Log to stderr, which the supervisor keeps in the process's file: in the format `chosen`, else as VARIABLE says."""
    form = chosen or os.environ.get(VARIABLE, "")
    formatter = JsonFormatter(process) if form == "json" else TextFormatter(_TEXT)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    if chosen:
        os.environ[VARIABLE] = chosen
    if form == "json":
        sys.excepthook = _log_uncaught
        threading.excepthook = lambda given: _log_uncaught(given.exc_type, given.exc_value, given.exc_traceback)


class TextFormatter(logging.Formatter):
    """A line for people: the fields stand in brackets at its end."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with what looks like a secret hidden."""
        return hide_secrets(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The first line of it."""
        given = " ".join(f"{name}={value}" for name, value in fields_of(record).items())
        return super().formatMessage(record) + (f" [{given}]" if given else "")


class JsonFormatter(logging.Formatter):
    """One JSON object on one line: time (ISO 8601 in UTC), level, process, pid, logger, message, the fields, traceback."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line, with what looks like a secret hidden."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": record.process,
            "logger": record.name,
            "message": hide_secrets(record.getMessage()),
            **{name: hide_secrets(value) for name, value in fields_of(record).items()},
        }
        if record.exc_info:
            said["traceback"] = hide_secrets(self.formatException(record.exc_info))
        return json.dumps(said)


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    """The fields that a record has."""
    return {name: str(value) for name in FIELDS if (value := getattr(record, name, None)) is not None}


def hide_secrets(text: str) -> str:
    """`text` with what looks like a password, token, key or one-time code replaced."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is not None and not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger().critical("uncaught: %s", error, exc_info=(kind, error, trace))
