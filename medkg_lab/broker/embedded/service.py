"""The broker's parts as the request handlers see them."""

import asyncio
from dataclasses import dataclass, field

from medkg_lab.broker.embedded.access import Session
from medkg_lab.broker.embedded.accounts import Accounts
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.coordinator import Coordinator
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.flusher import Flusher
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.meta import Meta
from medkg_lab.broker.embedded.rights import Kind, Rights
from medkg_lab.broker.embedded.store import Store
from medkg_lab.broker.removals import Removals

NODE_ID = 0


@dataclass
class Service:
    """One running broker.

    `auto_create` makes topics that clients ask for, `accounts` are let in (None lets in everyone), `requests` is the topic that
    producers may write, `repeats` logs what clients can cause at will, `stopping` ends long polls, `failure` says why it
    cannot go on.
    """

    host: str
    port: int
    limits: Limits
    meta: Meta
    store: Store
    flusher: Flusher
    coordinator: Coordinator
    removals: Removals
    requests: str
    auto_create: bool = False
    accounts: Accounts | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    failure: str | None = None


@dataclass(frozen=True)
class Peer:
    """Who sent a request: `session` is how far it is let in, `rights` what it may do with the API with the key `api`."""

    host: str
    client_id: str
    session: Session
    api: int
    rights: Rights

    def refusal(self, kind: Kind, name: str = "") -> Code:
        """The error of who may not use this API on the thing of this kind and name; NONE for who may."""
        return self.rights.refusal(self.api, kind, name)

    def check(self, kind: Kind, name: str = "") -> None:
        """Raise Refused unless this API may be used on it."""
        code = self.refusal(kind, name)
        if code:
            raise Refused(code, f"account {self.rights.account!r} has no right to this")
