"""Which settings differ from those that the lab had at its last start: each becomes an act in the ledger, with both values."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medkg_lab import settings
from medkg_lab.files import read_text, replace_private
from medkg_lab.folders import user_name
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import Locations
from medkg_lab.models.events import ActNoted
from medkg_lab.settings import Settings

FILE = "settings-seen.json"
"""Where in the state folder the settings of the last start are kept, without what may be a secret."""
CHANGED = "settings.changed"
_SECRET = re.compile(r"key|token|password|secret|auth|mail", re.IGNORECASE)
"""Names in a source's own settings whose values are kept as a hash."""


def note(ledger: LedgerClient, locations: Locations, chosen: Settings) -> None:
    """Note what changed since the last start, each once although this process may end in between. Raises LabError."""
    path = locations.state / FILE
    now = flat(chosen.model_dump(mode="json"))
    before = _seen(path)
    if before is not None and before != now:
        by, made_at = _author(settings.path(locations))
        for act in changes(before, now, by):
            told = json.dumps([act.subject, act.before, act.after, made_at])
            ledger.note_act(act, id="settings-" + hashlib.sha256(told.encode()).hexdigest()[:32])
    if before != now:
        replace_private(path, json.dumps(now, indent=1, sort_keys=True), durable=True)


def waiting(locations: Locations, chosen: Settings) -> set[str]:
    """The names of the settings that differ from those of the last start, and so are not in effect yet."""
    now, before = flat(chosen.model_dump(mode="json")), _seen(locations.state / FILE)
    if before is None:
        return set()
    return {name for name in {*before, *now} if before.get(name) != now.get(name)}


def changes(before: Mapping[str, str], now: Mapping[str, str], by: str) -> Iterator[ActNoted]:
    """An act for each setting that differs."""
    for name in sorted({*before, *now}):
        old, new = before.get(name, ""), now.get(name, "")
        if old != new:
            yield ActNoted(CHANGED, by, name, old, new)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """The settings by their whole names, as text; of what may be a secret the beginning of a hash."""
    found: dict[str, str] = {}
    for name, value in values.items():
        whole = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{whole}.")
        elif whole.startswith("sources.") and _SECRET.search(name):
            found[whole] = "sha256:" + hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]
        else:
            found[whole] = value if isinstance(value, str) else json.dumps(value)
    return found


def _seen(path: Path) -> dict[str, str] | None:
    """The settings of the last start; None where there was none, or they cannot be read."""
    try:
        found = json.loads(read_text(path))
        return {str(name): str(value) for name, value in found.items()}
    except (OSError, ValueError, AttributeError):
        return None


def _author(path: Path) -> tuple[str, int]:
    """Whose the settings file is, and when it was changed (ns since the epoch); without one whose this process is."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return user_name(os.getuid()), 0
    return user_name(found.st_uid), found.st_mtime_ns
