"""One-time codes and the sessions that they are exchanged for, in memory: they end with the process.

A code stands in an address, where a process list or a history may show it; a session stands in a cookie that no script can
read. Neither is the lab's token, and only their hashes are held.
"""

import hashlib
import secrets
import time
from collections.abc import Callable

CODE_S = 60.0
SESSION_S = 12 * 3600.0
"""Seconds after its last use that a session ends."""
MAX_CODES = 256
MAX_SESSIONS = 64
"""How many are held at most; the oldest goes first."""


class Logins:
    """Hands out codes, exchanges each once, and knows the sessions."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._codes: dict[bytes, float] = {}
        self._sessions: dict[bytes, float] = {}

    def new_code(self) -> str:
        """A code that opens one session within the next minute."""
        return self._new(self._codes, MAX_CODES, CODE_S)

    def is_code(self, code: str) -> bool:
        """Whether `code` still opens a session; it is not used up."""
        return self._alive(self._codes, code)

    def exchange(self, code: str) -> str | None:
        """A session's id for a code, which is used up by it; None when it opens none."""
        if not self._alive(self._codes, code):
            return None
        del self._codes[_digest(code)]
        return self._new(self._sessions, MAX_SESSIONS, SESSION_S)

    def is_session(self, session_id: str) -> bool:
        """Whether there is such a session; using it prolongs it."""
        if not self._alive(self._sessions, session_id):
            return False
        digest = _digest(session_id)
        del self._sessions[digest]
        self._sessions[digest] = self._now() + SESSION_S
        return True

    def _new(self, held: dict[bytes, float], at_most: int, seconds: float) -> str:
        now = self._now()
        for digest in [digest for digest, end in held.items() if end <= now]:
            del held[digest]
        while len(held) >= at_most:
            del held[next(iter(held))]
        made = secrets.token_urlsafe(32)
        held[_digest(made)] = now + seconds
        return made

    def _alive(self, held: dict[bytes, float], given: str) -> bool:
        return held.get(_digest(given), 0.0) > self._now()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
