"""A moment or a number in the log as a person types it. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

FORMS = "05:38, 05:38:12, -2m, 12 Nov 17:00, or a number of the ledger such as 1204551"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DAYS = ("%d %b %Y", "%Y-%m-%d")


@dataclass(frozen=True)
class Place:
    """A place in the log: a moment (`ts`, seconds since the epoch) or an event's number (`seq`); the other is None."""

    ts: float | None = None
    seq: int | None = None


def place(text: str, now: float) -> Place | None:
    """The place that `text` names at the moment `now`; a time of day that is still to come is yesterday's. None if unclear."""
    words = " ".join(text.split()).strip()
    if found := re.fullmatch(r"-\s*(\d{1,6})\s*(s|m|min|h|d)", words):
        return Place(ts=now - int(found[1]) * _UNITS[found[2][0]])
    if re.fullmatch(r"#?\d[\d,]{0,17}", words):
        return Place(seq=int(words.lstrip("#").replace(",", "")))
    return _time_of(words, datetime.fromtimestamp(now))


def _time_of(words: str, now: datetime) -> Place | None:
    *day, clock = words.split(" ")
    for form in ("%H:%M:%S.%f", "%H:%M:%S", "%H:%M"):
        try:
            time = datetime.strptime(clock, form).time()
        except ValueError:
            continue
        found = _day(" ".join(day), now)
        if found is None:
            return None
        moment = datetime.combine(found, time)
        if not day and moment > now:
            moment -= timedelta(days=1)
        return Place(ts=moment.timestamp())
    return None


def _day(words: str, now: datetime) -> datetime | None:
    if not words:
        return now
    for form in _DAYS:
        for text in (words, f"{words} {now.year}"):
            try:
                return datetime.strptime(text, form)
            except ValueError:
                continue
    return None
