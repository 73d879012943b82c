"""Only tokens of the issuer, for us, in its family of algorithms, and of this time, let anyone in."""

import base64
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from medkg_lab.guard.caller import Caller, Scope
from medkg_lab.guard.errors import TokenRefused
from medkg_lab.guard.tokens import MAX_TOKEN_BYTES, Family, Key, Rules, read_header, verify

NOW = 1_800_000_000.0
SECRET = OctKey.import_key(b"a secret of at least thirty-two bytes")
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
BY_SECRET = Rules("medical-kg-auth", "medical-kg-api", Family.SECRET)
BY_PUBLIC = Rules("medical-kg-auth", "medical-kg-api", Family.PUBLIC)
CLAIMS: dict[str, Any] = {
    "iss": "medical-kg-auth",
    "aud": "medical-kg-api",
    "sub": "ada",
    "exp": NOW + 60,
    "scope": "admin:read other",
}


def signed(claims: Mapping[str, Any], key: Key = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode({"alg": algorithm, "kid": key.kid or "none"}, dict(claims), key, algorithms=[algorithm])


def judged(token: str, key: Key = SECRET, rules: Rules = BY_SECRET, now: float = NOW) -> Caller:
    return verify(token, read_header(token, rules), key, rules, now)


def unsigned(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join((*parts, ""))


@pytest.mark.parametrize(
    ("key", "algorithm", "rules"),
    [(SECRET, "HS256", BY_SECRET), (RSA, "RS256", BY_PUBLIC), (EC, "ES256", BY_PUBLIC)],
    ids=["HS256", "RS256", "ES256"],
)
def test_a_good_token_names_its_subject_and_scopes(key: Key, algorithm: str, rules: Rules) -> None:
    caller = judged(signed(CLAIMS, key, algorithm), key, rules)
    assert caller == Caller("ada", frozenset({Scope.READ}))
    assert caller.may(Scope.READ)
    assert not caller.may(Scope.WRITE)


def test_who_may_write_may_read() -> None:
    caller = judged(signed(CLAIMS | {"scope": "admin:write"}))
    assert caller.may(Scope.READ)
    assert caller.may(Scope.WRITE)


def test_scopes_may_be_a_list_and_the_audience_one_of_several() -> None:
    claims = CLAIMS | {"scope": "", "scopes": ["admin:write", 7], "aud": ["another", "medical-kg-api"]}
    assert judged(signed(claims)).scopes == {Scope.WRITE}


@pytest.mark.parametrize(
    "claims",
    [
        CLAIMS | {"aud": "another"},
        CLAIMS | {"aud": ["another"]},
        CLAIMS | {"aud": []},
        CLAIMS | {"iss": "another"},
        CLAIMS | {"iss": ["medical-kg-auth"]},
        CLAIMS | {"exp": NOW - 31},
        CLAIMS | {"exp": "soon"},
        CLAIMS | {"nbf": NOW + 31},
        CLAIMS | {"iat": NOW + 3600},
        CLAIMS | {"sub": ""},
        CLAIMS | {"sub": " "},
        CLAIMS | {"sub": 7},
        CLAIMS | {"sub": "a\x1b[31m"},
        CLAIMS | {"sub": "a" * 257},
        *(
            {key: value for key, value in CLAIMS.items() if key != left_out}
            for left_out in ("iss", "aud", "sub", "exp")
        ),
    ],
    ids=str,
)
def test_wrong_claims_are_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        judged(signed(claims))


@pytest.mark.parametrize(
    ("claims", "now"), [({"exp": NOW}, NOW + 29), ({"nbf": NOW + 29}, NOW), ({"iat": NOW + 29}, NOW)], ids=str
)
def test_clocks_may_differ_by_the_leeway(claims: dict[str, Any], now: float) -> None:
    assert judged(signed(CLAIMS | claims), now=now).subject == "ada"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS512", "PS256", "", None, 7])
def test_no_algorithm_of_another_family_is_accepted(algorithm: object) -> None:
    token = unsigned({"alg": algorithm}, CLAIMS)
    with pytest.raises(TokenRefused, match=r"algorithm|not a signed"):
        read_header(token, BY_PUBLIC)


def test_a_public_key_is_never_a_secret() -> None:
    """Algorithm confusion: the public key, which anyone has, used as the secret of HS256."""
    head, body, _ = unsigned({"alg": "HS256", "kid": "rsa"}, CLAIMS).split(".")
    signature = hmac.new(RSA.as_pem(private=False), f"{head}.{body}".encode(), "sha256").digest()
    confused = f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(TokenRefused, match="algorithm"):
        judged(confused, RSA, BY_PUBLIC)
    with pytest.raises(TokenRefused):
        judged(signed(CLAIMS, RSA, "RS256"), SECRET, BY_SECRET)


def test_another_key_is_refused() -> None:
    other = RSAKey.generate_key(2048, {"kid": "rsa"})
    with pytest.raises(TokenRefused, match="signature"):
        judged(signed(CLAIMS, other, "RS256"), RSA, BY_PUBLIC)


def test_a_key_that_the_token_brings_along_is_not_used() -> None:
    mine = RSAKey.generate_key(2048)
    header = {"alg": "RS256", "kid": "rsa", "jwk": mine.as_dict(private=False)}
    token = jwt.encode(header, CLAIMS, mine, algorithms=["RS256"])
    with pytest.raises(TokenRefused):
        judged(token, RSA, BY_PUBLIC)


def test_a_huge_token_is_not_looked_at() -> None:
    with pytest.raises(TokenRefused, match="larger"):
        read_header(signed(CLAIMS | {"extra": "x" * MAX_TOKEN_BYTES}), BY_SECRET)


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
def test_whatever_is_given_is_judged(text: str) -> None:
    with pytest.raises(TokenRefused):
        judged(text)


@given(st.integers(0, 10_000), st.sampled_from("Aa0_-."))
def test_a_changed_token_is_refused(place: int, character: str) -> None:
    token = signed(CLAIMS)
    at = place % len(token)
    changed = token[:at] + character + token[at + 1 :]
    try:
        caller = judged(changed)
    except TokenRefused:
        return
    # The last characters of base64 may carry bits that mean nothing.
    assert caller.subject == "ada"
    assert caller.scopes == {Scope.READ}
