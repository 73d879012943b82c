"""Signatures by which the lab recognises its own messages: HMAC-SHA256 (RFC 2104) with a key that only its owner can read.

The secrets in `credentials` are new at each start; this key lasts, because what was signed before a restart must be recognised
after it.
"""

import hmac
import secrets
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.files import write_private
from medkg_lab.locations import Locations

SIGNATURE = "medkg-signature"
"""The header of a message that has its signature, in hexadecimal."""
KEY_BYTES = 32
REQUESTS = "ingest.requests"
LEDGER_LOG = "ledger.log"


class SigningKeyDamaged(LabError):
    """{path} does not hold the lab's signing key. Put the file back from a backup, or remove it: a new key is made, and what was
    signed before is no longer recognised."""

    exit_code = exit_codes.NO_RESTART


class Signer:
    """Signs and checks the messages of one purpose; a signature of one purpose is worthless for another."""

    def __init__(self, key: bytes, purpose: str) -> None:
        self._key = hmac.digest(key, purpose.encode(), "sha256")

    def digest(self, message: bytes) -> bytes:
        """The signature of `message`: 32 bytes."""
        return hmac.digest(self._key, message, "sha256")

    def is_digest(self, message: bytes, digest: bytes) -> bool:
        """Whether `digest` is the signature of `message`."""
        return hmac.compare_digest(digest, self.digest(message))

    def headers(self, message: bytes) -> dict[str, bytes]:
        """The Kafka headers that carry the signature of `message`."""
        return {SIGNATURE: self.digest(message).hex().encode()}

    def is_signed(self, message: bytes, signature: bytes | None) -> bool:
        """Whether `signature` is the hexadecimal one of `message`."""
        return signature is not None and hmac.compare_digest(signature, self.digest(message).hex().encode())


def key_path(locations: Locations) -> Path:
    """The file with the key."""
    return locations.state / "signing.key"


def signer(locations: Locations, purpose: str) -> Signer:
    """The signer of the lab for `purpose`; the key is made the first time. Raises SigningKeyDamaged."""
    path = key_path(locations)
    if not path.exists():
        write_private(path, secrets.token_hex(KEY_BYTES))
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (ValueError, UnicodeDecodeError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SigningKeyDamaged(path=path)
    return Signer(key, purpose)
