"""Who has a place among the broker's connections, so that nobody crowds out the lab. Pure."""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.credentials import LAB_ACCOUNT

K = TypeVar("K", bound=Hashable)


class Places(Generic[K]):
    """The connections that wait to be let in, with the user of the machine who made each, and those that are in, by account."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: dict[K, int | None] = {}
        self._inside: dict[K, str] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._inside)

    def arrive(self, one: K, uid: int | None) -> K | None:
        """Have `one` wait; returns whose place it gets when all are taken: the oldest one of the user who has the most.

        So a user who opens connections without end only closes their own.
        """
        victim = self._to_close() if len(self._waiting) >= self._limits.waiting_connections else None
        if victim is not None:
            del self._waiting[victim]
        self._waiting[one] = uid
        return victim

    def _to_close(self) -> K:
        (most, _), *_ = Counter(self._waiting.values()).most_common(1)
        return next(one for one, uid in self._waiting.items() if uid == most)

    def enter(self, one: K, account: str) -> bool:
        """Let `one` in as `account`; False when that account's places are taken. Some are kept for the lab itself."""
        self._waiting.pop(one, None)
        if len(self._inside) >= self._limits.connections:
            return False
        others = sum(account != LAB_ACCOUNT for account in self._inside.values())
        if account != LAB_ACCOUNT and others >= self._limits.connections - self._limits.reserved_connections:
            return False
        self._inside[one] = account
        return True

    def leave(self, one: K) -> None:
        """Give the place of `one` back."""
        self._waiting.pop(one, None)
        self._inside.pop(one, None)
