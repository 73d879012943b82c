"""Log lines that strangers can cause repeatedly: one of a kind a minute, so that they do not fill the log."""

import logging

REPEAT_INTERVAL_S = 60.0


class OnceAMinute(logging.Filter):
    """Lets a message through once a minute, with the number of its repeats since.

    Messages are the same when their first lines are, before values are put in.
    """

    def __init__(self, seconds: float = REPEAT_INTERVAL_S) -> None:
        super().__init__()
        self._seconds = seconds
        self._last: dict[str, float] = {}
        self._repeats: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        kind = str(record.msg).partition("\n")[0]
        if record.created - self._last.get(kind, float("-inf")) < self._seconds:
            self._repeats[kind] = self._repeats.get(kind, 0) + 1
            return False
        self._last[kind] = record.created
        if repeats := self._repeats.pop(kind, 0):
            record.msg = f"{record.getMessage()} ({repeats} more like this since the last one)"
            record.args = None
        return True
