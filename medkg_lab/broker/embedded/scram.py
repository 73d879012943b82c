"""SCRAM-SHA-256 as the server plays it, without channel binding. Sources: RFC 5802 and RFC 7677.

Neither side ever sends the password, and the client checks that the server knows it too.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from medkg_lab.errors import LabError

MECHANISM = "SCRAM-SHA-256"
ITERATIONS = 4096
"""The least that RFC 7677 allows: the passwords are random, so stretching them adds nothing but time to a login."""
_FIRST = re.compile(
    rb"(?P<gs2>[ny],(?:a=(?P<acts_for>[^,]*))?,)(?P<bare>n=(?P<user>[^,]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+)(?:,.*)?)"
)
_FINAL = re.compile(rb"(?P<bare>c=(?P<gs2>[^,]+),r=(?P<nonce>[^,]+)(?:,.*)?),p=(?P<proof>[^,]+)")


class NotProved(LabError):
    """The login was refused: {detail}. `medkg-lab broker access` shows user and password file."""


@dataclass(frozen=True)
class Verifier:
    """What is kept of a password: enough to check a login, too little to make one."""

    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
    iterations: int = ITERATIONS

    @classmethod
    def of(cls, password: str, salt: bytes | None = None) -> "Verifier":
        """The verifier of `password`; it is made once per process, since this is the slow part of a login."""
        salt = salt or secrets.token_bytes(16)
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
        stored = hashlib.sha256(_mac(salted, b"Client Key")).digest()
        return cls(salt, stored, _mac(salted, b"Server Key"))


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


class Exchange:
    """One login: `first` answers the client's first message, `final` its second; `user` is who it is once both went well."""

    def __init__(self, find: Callable[[str], Verifier], nonce: str | None = None) -> None:
        """`find` gives the verifier of a user, also of one that does not exist; `nonce` is for tests."""
        self.user = ""
        self._find = find
        self._own_nonce = (nonce or secrets.token_urlsafe(18)).encode()
        self._gs2 = b""
        self._nonces: tuple[bytes, ...] = ()
        self._said = b""
        self._verifier: Verifier | None = None

    def first(self, message: bytes) -> bytes:
        """The server's first message. Raises NotProved."""
        found = _FIRST.fullmatch(message)
        if found is None:
            raise NotProved(detail="the first message is not one of SCRAM without channel binding")
        name = _name(found.group("user"))
        if found.group("acts_for") not in (None, b"", found.group("user")):
            raise NotProved(detail="nobody acts for another user")
        self.user, self._gs2 = name, found.group("gs2")
        self._verifier = self._find(name)
        nonce = found.group("nonce") + self._own_nonce
        # librdkafka before 2.6.1, and with it Debian's kcat, puts its own nonce in front of the whole one once more.
        self._nonces = (nonce, found.group("nonce") + nonce)
        salt = base64.b64encode(self._verifier.salt)
        answer = b"r=%b,s=%b,i=%d" % (nonce, salt, self._verifier.iterations)
        self._said = found.group("bare") + b"," + answer + b","
        return answer

    def final(self, message: bytes) -> bytes:
        """The server's last message, which proves to the client that the server knows the password. Raises NotProved."""
        found = _FINAL.fullmatch(message)
        if found is None or self._verifier is None:
            raise NotProved(detail="the second message is not one of SCRAM")
        if found.group("nonce") not in self._nonces or found.group("gs2") != base64.b64encode(self._gs2):
            raise NotProved(detail="the second message belongs to another exchange")
        said = self._said + found.group("bare")
        signature = _mac(self._verifier.stored_key, said)
        client_key = bytes(a ^ b for a, b in zip(_proof(found.group("proof")), signature, strict=True))
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), self._verifier.stored_key):
            raise NotProved(detail="user or password are wrong")
        return b"v=" + base64.b64encode(_mac(self._verifier.server_key, said))


def _proof(text: bytes) -> bytes:
    try:
        proof = base64.b64decode(text, validate=True)
    except binascii.Error:
        proof = b""
    if len(proof) != hashlib.sha256().digest_size:
        raise NotProved(detail="the proof is not one of SHA-256")
    return proof


def _name(escaped: bytes) -> str:
    """A user's name; `=2C` stands for a comma, `=3D` for an equals sign."""
    try:
        return escaped.decode().replace("=2C", ",").replace("=3D", "=")
    except UnicodeDecodeError:
        raise NotProved(detail="a user's name is UTF-8") from None
