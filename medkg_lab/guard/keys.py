"""Where the keys for tokens come from: a file with a shared secret, or the issuer's key set (JWKS, RFC 7517) by URL."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from medkg_lab.errors import LabError
from medkg_lab.files import read_regular
from medkg_lab.guard.errors import KeysUnavailable
from medkg_lab.guard.tokens import Header, Key

_log = logging.getLogger("medkg_lab.guard")
FRESH_S = 600.0
"""Seconds for which a key set is used without asking again."""
RETRY_S = 30.0
"""Seconds between two questions to the issuer, whoever sends unknown key ids."""
MAX_SECRET_BYTES = 4096
MIN_SECRET_BYTES = 32
"""RFC 7518, section 3.2: a key for HS256 has at least 256 bits."""
_KEY_TYPES = {"RS256": RSAKey, "ES256": ECKey}

Fetch = Callable[[str], Awaitable[bytes]]
"""Gives the bytes behind a URL. Raises LabError or OSError."""


class Keys(Protocol):
    """Gives the key that a token's header asks for."""

    async def find(self, header: Header) -> Key | None:
        """The key, or None when there is none for it. Raises KeysUnavailable."""


class SecretFile:
    """One shared secret in a file, read once. Raises KeysUnavailable when it cannot be, or is too short."""

    def __init__(self, path: Path) -> None:
        try:
            secret = read_regular(path, MAX_SECRET_BYTES).strip()
        except (LabError, OSError) as error:
            raise KeysUnavailable(place=path, detail=str(error)) from error
        if len(secret) < MIN_SECRET_BYTES:
            raise KeysUnavailable(place=path, detail=f"the secret is shorter than {MIN_SECRET_BYTES} bytes")
        try:
            self._key = OctKey.import_key(secret)
        except ValueError as error:  # a public key: anyone could sign with it
            raise KeysUnavailable(place=path, detail=str(error)) from error

    async def find(self, header: Header) -> Key | None:
        """The secret, whatever key id the token has."""
        return self._key


class KeySetUrl:
    """The issuer's public keys, kept for FRESH_S seconds.

    An unknown key id asks the issuer once more, at most every RETRY_S seconds. While the issuer does not answer, the earlier keys
    are used. `now` gives seconds that never go back.
    """

    def __init__(self, url: str, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._fetch = fetch
        self._now = now
        self._keys: tuple[Key, ...] | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._problem = "it was not asked yet"
        self._asking = asyncio.Lock()

    async def find(self, header: Header) -> Key | None:
        """The key with the id that the header names; without an id, the only key for its algorithm."""
        if self._now() - self._fetched_at >= FRESH_S:
            await self._refresh()
        found = self._known(header)
        if found is None:
            await self._refresh()
            found = self._known(header)
        if self._keys is None:
            raise KeysUnavailable(place=self._url, detail=self._problem)
        return found

    def _known(self, header: Header) -> Key | None:
        fitting = [key for key in self._keys or () if isinstance(key, _KEY_TYPES[header.algorithm])]
        if header.key_id is not None:
            fitting = [key for key in fitting if key.kid == header.key_id]
        return fitting[0] if len(fitting) == 1 else None

    async def _refresh(self) -> None:
        async with self._asking:
            if self._now() - self._tried_at < RETRY_S:
                return
            self._tried_at = self._now()
            try:
                self._keys = _read_key_set(await self._fetch(self._url))
                self._fetched_at = self._now()
            except (LabError, OSError, ValueError) as error:
                self._problem = str(error) or type(error).__name__
                _log.warning("the issuer's keys were not renewed: %s", self._problem)


def _read_key_set(data: bytes) -> tuple[Key, ...]:
    """The public keys for signatures in a key set; other kinds are skipped. Raises ValueError when it is not a key set."""
    read = json.loads(data)
    if not isinstance(read, dict) or not isinstance(read.get("keys"), list):
        raise ValueError("the answer is not a key set")
    found: list[Key] = []
    for raw in read["keys"]:
        if not isinstance(raw, dict) or raw.get("kty") not in ("RSA", "EC") or raw.get("use", "sig") != "sig":
            continue
        try:
            key = KeySet.import_key_set({"keys": [raw]}).keys[0]
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # one key of a kind that is not known here does not spoil the others
        if isinstance(key, RSAKey | ECKey):
            found.append(key)
    return tuple(found)
