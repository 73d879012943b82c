"""Who asks the HTTP API: two tokens of the lab's own, or the tokens of the issuer that `auth` in the settings names."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from medkg_lab import credentials
from medkg_lab.api.errors import ScopeMissing, TokenMissing
from medkg_lab.errors import LabError
from medkg_lab.guard import own_tokens
from medkg_lab.guard.caller import Authenticator, Caller, Scope
from medkg_lab.guard.errors import TokenRefused
from medkg_lab.ledger.acts import AccessLog
from medkg_lab.locations import Locations

PLACE = "the HTTP API"
"""Where someone logs in, as it is recorded."""
SUBJECT = "api"
"""Who acts, as it is recorded, when one of the lab's own tokens is used."""


def token_files(locations: Locations) -> Mapping[Scope, Path]:
    """The file with the lab's own token of each scope, made when there is none: mode 0600, kept until somebody deletes it."""
    return {scope: credentials.api_token_file(locations, scope.value.partition(":")[2]) for scope in Scope}


@dataclass(frozen=True)
class Access:
    """Knows callers by their tokens. What cannot be checked is refused. `issuer` knows other tokens than the lab's own."""

    files: Mapping[Scope, Path]
    issuer: Authenticator | None = None
    log: AccessLog | None = None

    async def caller(self, authorization: str | None, needed: Scope) -> Caller:
        """Whom the header `Authorization` stands for. Raises TokenMissing, TokenRefused, KeysUnavailable and ScopeMissing."""
        try:
            caller = await self._judge(authorization, needed)
        except LabError as error:
            if self.log is not None:
                self.log.refused("", PLACE, str(error))
            raise
        if self.log is not None:
            self.log.accepted(caller.subject, PLACE, "a token", once=True)
        return caller

    async def _judge(self, authorization: str | None, needed: Scope) -> Caller:
        token = own_tokens.bearer(authorization)
        if token is None:
            raise TokenMissing
        caller = await self._known(token)
        if not caller.may(needed):
            raise ScopeMissing(scope=needed.value)
        return caller

    async def _known(self, token: str) -> Caller:
        found = None
        for scope, path in self.files.items():
            if own_tokens.opens(path, token):
                found = Caller(SUBJECT, frozenset({scope}))
        if found is not None:
            return found
        if self.issuer is None:
            raise TokenRefused(reason="it is none of this lab's")
        return await self.issuer.caller(token)


def require(access: Access, scope: Scope) -> Callable[[str | None], Awaitable[Caller]]:
    """A check of the header `Authorization` for one scope."""

    async def check(authorization: str | None) -> Caller:
        return await access.caller(authorization, scope)

    return check
