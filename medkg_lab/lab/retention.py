"""What goes by itself, and when: decided by `plan`, which is pure, and done by `apply`.

Each step stands alone, and nothing is lost wherever it is killed; the next time finds what is left to do.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from medkg_lab.artifacts.sweep import SweepRuns
from medkg_lab.files import replace_private
from medkg_lab.lab import artifact_use, disk_use
from medkg_lab.lab.catching_up import LabBehind
from medkg_lab.lab.facade import Lab
from medkg_lab.ledger.answers import KEPT_EVENTS
from medkg_lab.ledger.named_queries import Named
from medkg_lab.locations import Locations
from medkg_lab.settings import RetentionSettings

FILE = "retention.json"
"""The file in the state folder that says what the last time came to."""
_DAY_S = 86_400.0
_MIB = 1024 * 1024
_MAX_BYTES = 1024 * 1024
_SEQ_SHIFT = 20
"""A job's age is the number of the event that made it, and its place there in so many bits."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many events stay in the ledger's table, and before which times what may go does, in seconds since the epoch."""

    events: int
    archive_before: float | None
    superseded_before: float
    is_over: bool


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What one time came to: events that were archived, archive files and artifacts that went, with their bytes.

    `put_off` says why artifacts were left alone; `used` and `budget` are bytes on disk afterwards, `at` seconds since the epoch.
    """

    at: float
    events: int
    archive_files: int
    artifacts: int
    bytes: int
    used: int
    budget: int | None
    put_off: str = ""


def plan(settings: RetentionSettings, used: int, now: float) -> Plan:
    """What may go of a lab that takes `used` bytes. Beyond the budget only what is needed stays."""
    is_over = settings.disk_mib is not None and used > settings.disk_mib * _MIB
    days = settings.archive_days
    return Plan(
        events=min(settings.events, KEPT_EVENTS) if is_over else settings.events,
        archive_before=None if days is None else now - days * _DAY_S,
        superseded_before=now if is_over else now - settings.superseded_days * _DAY_S,
        is_over=is_over,
    )


def last_to_drop(old: int | None, oldest_unfinished: int | None) -> int:
    """The last archived event that may go: up to `old`, and none of an unfinished job, whose first event is given. Pure."""
    if old is None:
        return 0
    return old if oldest_unfinished is None else min(old, oldest_unfinished - 1)


def apply(lab: Lab) -> Applied:
    """Remove what may go now."""
    now = time.time()
    chosen = plan(lab.settings.retention, sum(disk_use.growing(lab.locations).values()), now)
    pruned = lab.ledger.prune(chosen.events).pruned
    files = _drop_archive(lab, chosen.archive_before)
    swept, put_off = _sweep(lab, chosen.superseded_before)
    budget = lab.settings.retention.disk_mib
    done = Applied(
        at=now,
        events=pruned,
        archive_files=files,
        artifacts=swept[0],
        bytes=swept[1],
        used=sum(disk_use.growing(lab.locations).values()),
        budget=None if budget is None else budget * _MIB,
        put_off=put_off,
    )
    replace_private(_file(lab.locations), msgspec.json.encode(done))
    return done


def _drop_archive(lab: Lab, before: float | None) -> int:
    if before is None:
        return 0
    [[old]] = lab.ledger.rows(Named.ARCHIVED_BEFORE, [before], timeout_s=60).rows
    [[oldest]] = lab.ledger.rows(Named.OLDEST_UNFINISHED).rows
    upto = last_to_drop(old, None if oldest is None else int(oldest) >> _SEQ_SHIFT)
    return lab.ledger.drop_archive(upto) if upto else 0


def _sweep(lab: Lab, superseded_before: float) -> tuple[tuple[int, int], str]:
    try:
        swept = artifact_use.sweep_unneeded(lab, superseded_before)
    except (SweepRuns, LabBehind) as error:
        return (0, 0), str(error)
    return (swept.values, swept.bytes), ""


def last(locations: Locations) -> Applied | None:
    """What the last time came to; None before the first one."""
    try:
        return msgspec.json.decode(_file(locations).read_bytes()[:_MAX_BYTES], type=Applied)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def is_recent(locations: Locations, seconds: float, now: float) -> bool:
    """Whether the last time was within so many seconds; one in the future was not."""
    done = last(locations)
    return done is not None and 0 <= now - done.at < seconds


def _file(locations: Locations) -> Path:
    return locations.state / FILE


def budget_words(parts: Mapping[str, int], settings: RetentionSettings) -> str:
    """What the lab takes on disk and may take, as a sentence."""
    used = sum(parts.values()) / _MIB
    if settings.disk_mib is None:
        return f"the lab takes {used:.0f} MiB on disk; `retention.disk_mib` would bound it"
    over = used - settings.disk_mib
    if over <= 0:
        return f"the lab takes {used:.0f} of the {settings.disk_mib} MiB that it may"
    return (
        f"the lab takes {over:.0f} MiB more than the {settings.disk_mib} that it may: what may go is removed with the next "
        "`medkg-lab retention run`; delete documents, or raise `retention.disk_mib`"
    )
