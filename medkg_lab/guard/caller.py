"""Whom a token stands for, and what it allows: what the rest of the lab knows of tokens, whatever library reads them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Scope(StrEnum):
    """What a token may allow; whoever may write may read."""

    READ = "admin:read"
    WRITE = "admin:write"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token stands for; `subject` is recorded as the one who acted."""

    subject: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether the token gives `scope`."""
        return scope in self.scopes or Scope.WRITE in self.scopes


class Authenticator(Protocol):
    """Knows the bearer tokens of an issuer."""

    async def caller(self, token: str) -> Caller:
        """Whom the token stands for. Raises TokenRefused, or KeysUnavailable when nothing can be checked."""
