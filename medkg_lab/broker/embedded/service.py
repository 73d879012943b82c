"""The broker's parts as the request handlers see them."""

import asyncio
from dataclasses import dataclass, field

from medkg_lab.broker.embedded.access import Session
from medkg_lab.broker.embedded.coordinator import Coordinator
from medkg_lab.broker.embedded.flusher import Flusher
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.meta import Meta
from medkg_lab.broker.embedded.store import Store

NODE_ID = 0


@dataclass
class Service:
    """One running broker.

    `auto_create` makes topics that clients ask for, `password` lets clients in (None lets in everyone), `stopping` ends
    long polls, `failure` says why it cannot go on.
    """

    host: str
    port: int
    limits: Limits
    meta: Meta
    store: Store
    flusher: Flusher
    coordinator: Coordinator
    auto_create: bool = False
    password: str | None = field(default=None, repr=False)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    failure: str | None = None


@dataclass(frozen=True)
class Peer:
    """Who sent a request."""

    host: str
    client_id: str
    session: Session
