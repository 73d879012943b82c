"""Judging a JSON Web Token: its signature, its claims, and the scopes that it gives. Pure: keys and time are handed in.

Formats: RFC 7519 (JWT), RFC 7515 (JWS), RFC 8725 (best practice: one family of algorithms, never the one that the token names).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, RSAKey

from medkg_lab.guard.caller import Caller, Scope
from medkg_lab.guard.errors import TokenRefused

Key = OctKey | RSAKey | ECKey
LEEWAY_S = 30
"""Seconds by which the issuer's clock may differ from ours."""
MAX_TOKEN_BYTES = 16 * 1024
MAX_SUBJECT_CHARACTERS = 256


class Family(StrEnum):
    """A family of algorithms, of which a lab accepts one: a public key must never be taken for a shared secret."""

    SECRET = "secret"
    PUBLIC = "public"

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The `alg` values that are accepted."""
        return ("HS256",) if self is Family.SECRET else ("RS256", "ES256")


@dataclass(frozen=True, slots=True)
class Rules:
    """Which tokens are accepted: those of one issuer, for one audience, signed in one family."""

    issuer: str
    audience: str
    family: Family


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says of its signature, before anything of it is believed."""

    algorithm: str
    key_id: str | None


def read_header(token: str, rules: Rules) -> Header:
    """The header of a token whose algorithm the rules accept. Raises TokenRefused."""
    if len(token.encode("utf-8", "surrogatepass")) > MAX_TOKEN_BYTES:
        raise TokenRefused(reason=f"it is larger than {MAX_TOKEN_BYTES} bytes")
    try:
        raw = jws.extract_compact(token.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError, AttributeError):
        raise TokenRefused(reason="it is not a signed JSON Web Token") from None
    algorithm, key_id = raw.get("alg"), raw.get("kid")
    if algorithm not in rules.family.algorithms:
        raise TokenRefused(reason=f"its algorithm is not one of {', '.join(rules.family.algorithms)}")
    if key_id is not None and not isinstance(key_id, str):
        raise TokenRefused(reason="its key id is not a string")
    return Header(algorithm, key_id)


def verify(token: str, header: Header, key: Key, rules: Rules, now: float) -> Caller:
    """Whom a token stands for, when `key` signed it and its claims hold at `now` (epoch seconds). Raises TokenRefused."""
    try:
        claims = jwt.decode(token, key, algorithms=[header.algorithm]).claims
    except (JoseError, ValueError, TypeError):
        raise TokenRefused(reason="its signature is wrong") from None
    checks = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": rules.issuer},
        aud={"essential": True, "value": rules.audience},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        checks.validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise TokenRefused(reason=_reason(error)) from None
    return Caller(_subject(claims), _scopes(claims))


def _reason(error: Exception) -> str:
    claim = getattr(error, "claim", None)
    expired = getattr(error, "error", "") == "expired_token"
    return "it has expired" if expired else f"its claim {claim or 'set'!r} is missing or wrong"


def _subject(claims: Mapping[str, object]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject.strip() or len(subject) > MAX_SUBJECT_CHARACTERS:
        raise TokenRefused(reason=f"its subject is not a name of 1 to {MAX_SUBJECT_CHARACTERS} characters")
    if not subject.isprintable():
        raise TokenRefused(reason="its subject holds control characters")
    return subject


def _scopes(claims: Mapping[str, object]) -> frozenset[Scope]:
    """The scopes that are known here, from `scope` (RFC 8693: words in one string) or `scopes` (a list of strings)."""
    words: set[str] = set()
    if isinstance(scope := claims.get("scope"), str):
        words |= set(scope.split())
    if isinstance(scopes := claims.get("scopes"), list):
        words |= {word for word in scopes if isinstance(word, str)}
    return frozenset(scope for scope in Scope if scope in words)
