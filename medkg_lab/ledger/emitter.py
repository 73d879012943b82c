"""Sends an engine's events in the background: bounded, in order, each until it is acknowledged."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from medkg_lab import rpc
from medkg_lab.errors import LabError
from medkg_lab.failures import Failure
from medkg_lab.ledger.answers import RecordOutcome, read
from medkg_lab.ledger.errors import EmissionLost, LedgerClosing, LedgerError
from medkg_lab.models.event_codec import draft_to_json
from medkg_lab.models.events import EventData

MAX_PENDING = 1024
"""Records that may be undelivered; `put` waits beyond that."""
MAX_AT_ONCE = 256
RETRY_INTERVAL_S = 0.1
NEVER = float("inf")
MAX_FAILED = 64
"""Batches whose failure is kept for whoever asks: nobody may ever ask about one that was lost."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A record that is not acknowledged yet, as it is sent: its events are JSON already."""

    id: str
    batch_id: str
    events: orjson.Fragment
    lazy: bool
    resend: bool = False


class Emitter:
    """One thread with a connection of its own; what fails is kept until `put` or `drain` raises it.

    `before` is called there before records are sent that were handed in until then: what they speak of can be made durable in
    it while the engine works on. A batch for which it raises OSError is not told of any further.
    """

    def __init__(self, path: Path, deadline: float, before: Callable[[], None]) -> None:
        self._path = path
        self._deadline = deadline
        self._before = before
        self._pending: deque[_Pending] = deque()
        self._changed = threading.Condition()
        self._due = NEVER
        self._failed: dict[str, LabError | OSError] = {}
        self._dropped: dict[str, None] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="emitter", daemon=True)
        self._thread.start()

    def put(
        self,
        command_id: str,
        batch_id: str,
        events: Sequence[EventData],
        urgent: bool = False,
        within_s: float = 0.0,
    ) -> None:
        """Hand in a record that is sent within so many seconds; an urgent one waits for no others, here or in the ledger.

        Raises what went wrong with earlier ones of its batch, and NotEncodable for events that cannot be sent: nobody would be
        there to hear of it when they are.
        """
        encoded = _encoded(events)
        with self._changed:
            self._changed.wait_for(lambda: len(self._pending) < MAX_PENDING or batch_id in self._failed)
            if batch_id in self._failed:
                raise self._failed.pop(batch_id)
            # What has waited here need not wait in the ledger as well: the answer would hold up an urgent one behind it.
            lazy = not urgent and not within_s
            self._pending.append(_Pending(command_id, batch_id, encoded, lazy))
            self._send_by(0.0 if urgent or len(self._pending) >= MAX_AT_ONCE else time.monotonic() + within_s)

    def drain(self, batch_id: str | None) -> list[str]:
        """Wait until nothing is pending; the jobs whose events were dropped since the last time.

        Raises what went wrong with records of the batch, or of any; that of others is kept for when they are asked about.
        """
        with self._changed:
            self._send_by(0.0)
            self._changed.wait_for(lambda: not self._pending)
            failed = next(iter(self._failed), None) if batch_id is None else batch_id
            failure = self._failed.pop(failed, None) if failed is not None else None
            while len(self._failed) > MAX_FAILED:
                del self._failed[next(iter(self._failed))]
            dropped, self._dropped = list(self._dropped), {}
        if failure is not None:
            raise failure
        return dropped

    def close(self) -> None:
        """Deliver what is pending, then stop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        with rpc.Client(self._path, self._deadline) as client:
            while records := self._next():
                try:
                    self._before()
                except OSError as error:
                    self._drop(len(records), error)
                else:
                    self._send(client, records)

    def _send_by(self, due: float) -> None:
        # Woken only when it has to be earlier than it thinks: each wake-up takes the interpreter from the stage that runs.
        if due < self._due:
            self._due = due
            self._changed.notify_all()

    def _left(self) -> float:
        """Seconds until something has to be sent."""
        if not self._pending:
            self._due = NEVER
        return self._due - time.monotonic()

    def _next(self) -> list[_Pending]:
        with self._changed:
            while not self._closing and (left := self._left()) > 0:
                self._changed.wait(None if left == NEVER else left)
            self._due = 0.0 if len(self._pending) > MAX_AT_ONCE else NEVER
            return [self._pending[place] for place in range(min(len(self._pending), MAX_AT_ONCE))]

    def _send(self, client: rpc.Client, records: list[_Pending]) -> None:
        """Deliver `records`, repeatedly until they are answered or the deadline is over.

        A ledger that closed while it worked on them is away like any other that gave no answer: those that it had carried out
        it knows again by their ids.
        """
        until = time.monotonic() + self._deadline
        lazy = all(record.lazy for record in records)
        while True:
            try:
                left = max(0.01, until - time.monotonic())
                answers = read(client.call("records", deadline=left, records=records, lazy=lazy), list[RecordOutcome])
                _raise_closing(answers)
                break
            except rpc.PeerUnreachable as error:
                if time.monotonic() + RETRY_INTERVAL_S >= until:
                    return self._fail(error)
            time.sleep(RETRY_INTERVAL_S)
            records = [replace(record, resend=True) for record in records]
        return self._acknowledge(answers)

    def _acknowledge(self, answers: list[RecordOutcome]) -> None:
        with self._changed:
            for answer in answers:
                batch_id = self._pending.popleft().batch_id
                if answer.error is not None:
                    self._failed.setdefault(batch_id, _revive(answer.error))
                elif answer.result is not None:
                    self._dropped |= dict.fromkeys(answer.result.dropped)
            self._changed.notify_all()

    def _drop(self, count: int, error: OSError) -> None:
        with self._changed:
            for _ in range(count):
                self._failed.setdefault(self._pending.popleft().batch_id, error)
            self._changed.notify_all()

    def _fail(self, error: LabError) -> None:
        with self._changed:
            lost = EmissionLost(count=len(self._pending), seconds=self._deadline, detail=str(error))
            self._failed |= {record.batch_id: lost for record in self._pending}
            self._pending.clear()
            self._changed.notify_all()


def _encoded(events: Sequence[EventData]) -> orjson.Fragment:
    """The events as they are sent, each time that they are. Raises NotEncodable."""
    try:
        return orjson.Fragment(orjson.dumps(list(map(draft_to_json, events)), option=rpc.ENCODING))
    except TypeError as error:
        raise rpc.NotEncodable(op="record", what="an event", detail=str(error)) from error


def _raise_closing(answers: list[RecordOutcome]) -> None:
    """Raise LedgerClosing if one of the outcomes is that."""
    if any(answer.error is not None and isinstance(_revive(answer.error), rpc.PeerClosing) for answer in answers):
        raise LedgerClosing()


def _revive(failure: Failure) -> LabError:
    return failure.revive() or LedgerError(detail=failure.message)
