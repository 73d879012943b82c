"""The issuer's keys are kept, renewed when they must be, and outlast an issuer that is away."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from medkg_lab.guard.errors import KeysUnavailable
from medkg_lab.guard.keys import FRESH_S, RETRY_S, KeySetUrl, SecretFile
from medkg_lab.guard.tokens import Header

pytestmark = pytest.mark.asyncio

OLD = RSAKey.generate_key(2048, {"kid": "old", "use": "sig"})
NEW = RSAKey.generate_key(2048, {"kid": "new"})
CURVE = ECKey.generate_key("P-256", {"kid": "curve"})


class Issuer:
    """An issuer whose keys, failures and clock a test moves."""

    def __init__(self, *keys: Any) -> None:
        self.keys: list[dict[str, Any]] = [key.as_dict(private=False) for key in keys]
        self.asked = 0
        self.away = False
        self.seconds = 0.0

    async def fetch(self, url: str) -> bytes:
        self.asked += 1
        if self.away:
            raise ConnectionRefusedError("nobody answers")
        return json.dumps({"keys": self.keys}).encode()

    def source(self) -> KeySetUrl:
        return KeySetUrl("https://issuer.example/keys", self.fetch, lambda: self.seconds)


def wants(key_id: str | None, algorithm: str = "RS256") -> Header:
    return Header(algorithm, key_id)


async def found(source: KeySetUrl, header: Header) -> str | None:
    key = await source.find(header)
    return None if key is None else key.kid


async def test_the_issuer_is_asked_once_while_its_keys_are_fresh() -> None:
    issuer = Issuer(OLD, CURVE)
    source = issuer.source()
    assert await found(source, wants("old")) == "old"
    assert await found(source, wants("curve", "ES256")) == "curve"
    issuer.seconds += FRESH_S - 1
    assert await found(source, wants("old")) == "old"
    assert issuer.asked == 1


async def test_a_new_key_is_found_at_its_first_token() -> None:
    issuer = Issuer(OLD)
    source = issuer.source()
    await source.find(wants("old"))
    issuer.keys = [NEW.as_dict(private=False)]
    issuer.seconds += RETRY_S
    assert await found(source, wants("new")) == "new"
    assert await found(source, wants("old")) is None
    assert issuer.asked == 2


async def test_unknown_key_ids_do_not_flood_the_issuer() -> None:
    issuer = Issuer(OLD)
    source = issuer.source()
    for number in range(100):
        assert await found(source, wants(f"made up {number}")) is None
    assert issuer.asked == 1


async def test_an_outage_of_the_issuer_does_not_lock_anyone_out() -> None:
    issuer = Issuer(OLD)
    source = issuer.source()
    await source.find(wants("old"))
    issuer.away = True
    for _ in range(5):
        issuer.seconds += FRESH_S
        assert await found(source, wants("old")) == "old"
    assert issuer.asked == 6


async def test_without_any_keys_the_problem_is_named_and_the_next_try_succeeds() -> None:
    issuer = Issuer(OLD)
    issuer.away = True
    source = issuer.source()
    with pytest.raises(KeysUnavailable, match="nobody answers"):
        await source.find(wants("old"))
    issuer.away = False
    issuer.seconds += RETRY_S
    assert await found(source, wants("old")) == "old"


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"keys": 7}', b"{", b"\xff"], ids=repr)
async def test_an_answer_that_is_not_a_key_set_replaces_nothing(answer: bytes) -> None:
    issuer = Issuer(OLD)
    source = issuer.source()
    await source.find(wants("old"))

    async def fetch(url: str) -> bytes:
        return answer

    source._fetch = fetch
    issuer.seconds += FRESH_S
    assert await found(source, wants("old")) == "old"


async def test_secrets_keys_for_encryption_and_unknown_kinds_in_a_key_set_are_skipped() -> None:
    issuer = Issuer(OctKey.import_key(b"x" * 32, {"kid": "secret"}), OLD)
    issuer.keys[0]["k"] = "eHh4"
    issuer.keys += [
        {"kty": "future"},
        {"kty": "RSA"},
        OLD.as_dict(private=False) | {"use": "enc", "kid": "for-encryption"},
    ]
    source = issuer.source()
    assert await found(source, wants("secret")) is None
    assert await found(source, wants("for-encryption")) is None
    assert await found(source, wants("old")) == "old"


async def test_a_token_without_key_id_is_checked_with_the_only_key_of_its_kind() -> None:
    assert await found(Issuer(OLD, CURVE).source(), wants(None)) == "old"
    assert await found(Issuer(OLD, NEW).source(), wants(None)) is None


async def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x" * 40 + b"\n")
    assert await SecretFile(path).find(Header("HS256", None)) is not None


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 5000, OLD.as_pem(private=False)], ids=len)
async def test_a_secret_that_is_too_short_or_no_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(KeysUnavailable):
        SecretFile(path)


async def test_a_missing_secret_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeysUnavailable):
        SecretFile(tmp_path / "gone")
