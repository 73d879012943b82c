"""Checking a bearer token: header, key, signature, claims, in this order."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from medkg_lab.guard.caller import Caller
from medkg_lab.guard.errors import TokenRefused
from medkg_lab.guard.keys import Keys
from medkg_lab.guard.tokens import Rules, read_header, verify


@dataclass(frozen=True)
class BearerTokens:
    """The tokens of one issuer. `now` gives seconds since the epoch."""

    rules: Rules
    keys: Keys
    now: Callable[[], float] = time.time

    async def caller(self, token: str) -> Caller:
        """Whom the token stands for. Raises TokenRefused, or KeysUnavailable when nothing can be checked."""
        header = read_header(token, self.rules)
        key = await self.keys.find(header)
        if key is None:
            raise TokenRefused(reason="the issuer has no key with its key id")
        return verify(token, header, key, self.rules, self.now())
