"""Who may log in: the accounts of the broker with what is kept of their passwords."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from medkg_lab.broker.embedded.scram import Verifier
from medkg_lab.credentials import LAB_ACCOUNT

ANYONE = LAB_ACCOUNT
"""Who everyone is where nobody is asked to log in."""


@dataclass(frozen=True)
class Accounts:
    """The accounts by name, each with its verifier."""

    verifiers: Mapping[str, Verifier]
    decoy: bytes
    """What the salts of users that do not exist follow from: the same one for the same name, as for a real user."""

    @classmethod
    def of(cls, passwords: Mapping[str, str]) -> "Accounts":
        """The accounts with these passwords."""
        return cls({name: Verifier.of(password) for name, password in passwords.items()}, secrets.token_bytes(32))

    def verifier(self, name: str) -> Verifier:
        """The verifier of `name`; for a user that does not exist one that no password fits."""
        known = self.verifiers.get(name)
        return known or Verifier(hmac.digest(self.decoy, name.encode(), "sha256")[:16], bytes(32), bytes(32))
