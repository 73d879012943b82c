"""The tokens that the settings let in, with their keys."""

import asyncio
from functools import partial
from http import HTTPStatus
from importlib.util import find_spec
from urllib.parse import urlsplit

from medkg_lab.environment import extra_command
from medkg_lab.guard.caller import Authenticator
from medkg_lab.guard.errors import AuthPackageMissing
from medkg_lab.locations import Locations
from medkg_lab.settings import AuthSettings
from medkg_lab.sources.errors import BadAnswer
from medkg_lab.sources.http_client import HttpxClient

TIMEOUT_S = 10.0
MAX_KEY_SET_BYTES = 1024 * 1024


def authenticator(auth: AuthSettings, locations: Locations) -> Authenticator | None:
    """What the settings accept; None when it is the lab's own token alone.

    Raises AuthPackageMissing, and KeysUnavailable for a secret that is unusable.
    """
    if auth.mode == "token":
        return None
    if find_spec("joserfc") is None:
        raise AuthPackageMissing(command=extra_command("auth"))
    from medkg_lab.guard.bearer import BearerTokens
    from medkg_lab.guard.keys import KeySetUrl, SecretFile
    from medkg_lab.guard.tokens import Family, Rules

    if auth.secret_file is not None:
        secret = SecretFile(locations.config / auth.secret_file)
        return BearerTokens(Rules(auth.issuer, auth.audience, Family.SECRET), secret)
    assert auth.jwks_url is not None, "the settings were checked"
    key_set = KeySetUrl(auth.jwks_url, partial(_fetch, _client(auth.jwks_url)))
    return BearerTokens(Rules(auth.issuer, auth.audience, Family.PUBLIC), key_set)


def _client(url: str) -> HttpxClient:
    """A client that may ask the issuer wherever it is: the settings name it."""
    address = urlsplit(url)
    port = address.port or (443 if address.scheme == "https" else 80)
    return HttpxClient(trusted=frozenset({f"{address.hostname}:{port}"}))


async def _fetch(client: HttpxClient, url: str) -> bytes:
    answer = await asyncio.to_thread(client.request, "GET", url, timeout=TIMEOUT_S, max_bytes=MAX_KEY_SET_BYTES)
    if answer.status != HTTPStatus.OK:
        raise BadAnswer(host=urlsplit(url).netloc, detail=f"status {answer.status}")
    return answer.body
