"""Signatures: of one purpose, of one key that lasts and that only its owner can read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab import credentials
from medkg_lab.locations import locate
from medkg_lab.signing import SIGNATURE, Signer, SigningKeyDamaged, key_path, signer

SIGNER = Signer(b"k" * 32, "one")


@given(st.binary(), st.binary(max_size=80))
def test_only_its_own_signature_fits_a_message(message: bytes, other: bytes) -> None:
    signature = SIGNER.headers(message)[SIGNATURE]
    assert SIGNER.is_signed(message, signature)
    assert not SIGNER.is_signed(message + b"x", signature)
    assert not SIGNER.is_signed(message, other)
    assert not SIGNER.is_signed(message, None)
    assert not Signer(b"k" * 32, "two").is_signed(message, signature)
    assert not Signer(b"l" * 32, "one").is_signed(message, signature)


def test_the_key_lasts_and_is_private(tmp_path: Path) -> None:
    locations = locate(tmp_path)
    signature = signer(locations, "one").headers(b"m")[SIGNATURE]
    credentials.renew(locations)
    assert signer(locations, "one").is_signed(b"m", signature)
    assert key_path(locations).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"00" * 31, b"zz" * 32, b"\xff" * 64])
def test_a_damaged_key_is_named_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = key_path(locate(tmp_path))
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(SigningKeyDamaged, match=r"signing\.key"):
        signer(locate(tmp_path), "one")
    assert path.read_bytes() == content
