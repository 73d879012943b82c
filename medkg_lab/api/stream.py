"""The ledger's events as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from collections.abc import Iterator

import orjson

from medkg_lab.models.event_codec import to_json
from medkg_lab.models.events import Event
from medkg_lab.sdk.lab import Lab

KEEP_ALIVE = b": nothing new\n\n"
"""A comment, so that a reader who is gone is noticed."""


def encode(event: Event) -> bytes:
    """One event: its number as id, by which a reader goes on later, its type, and its JSON."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, str(event.type).encode(), orjson.dumps(to_json(event)))


def follow(lab: Lab, after: int) -> Iterator[bytes]:
    """The events after number `after`, for ever; a comment for each second without any."""
    while True:
        page = lab.event_page(after, wait_s=1.0)
        if not page.events:
            yield KEEP_ALIVE
        for event in page.events:
            after = event.seq
            yield encode(event)
