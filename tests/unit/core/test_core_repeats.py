"""Log lines that repeat are counted."""

import logging

from medkg_lab.repeats import OnceAMinute


def test_repeats_are_counted() -> None:
    written, repeated = logging.getLogger("test.repeated"), OnceAMinute(seconds=60)

    def record(message: str, at: float, *args: object) -> str | None:
        made = written.makeRecord(written.name, logging.WARNING, "", 0, message, args, None)
        made.created = at
        return made.getMessage() if repeated.filter(made) else None

    assert record("%s is wrong", 0, "a") == "a is wrong"
    assert record("%s is wrong", 1, "b") is None
    assert record("another\nsocket 1", 2) == "another\nsocket 1"
    assert record("another\nsocket 2", 3) is None
    assert record("%s is wrong", 59, "c") is None
    assert record("%s is wrong", 61, "d") == "d is wrong (2 more like this since the last one)"
    assert record("%s is wrong", 122, "e") == "e is wrong"
