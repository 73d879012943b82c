"""Telling the ledger who did what that concerns no job, also when it does not run: then it is kept in a file until it does."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from medkg_lab.errors import LabError
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.logs import fields
from medkg_lab.models.events import ActNoted

log = logging.getLogger(__name__)

FILE = "acts.jsonl"
"""Where in the state folder acts wait for a ledger that runs."""
AGAIN_S = 60.0
"""Seconds for which a refusal that comes again is only counted: strangers can cause any number of them."""
SESSION_S = 3600.0
"""Seconds for which the requests of a program that brings the same token are one login."""
LOOK_INTERVAL_S = 1.0
MAX_KINDS = 200
"""Different acts that are held at most; of others it is only counted that there were some."""
OTHERS = "others"
ACCEPTED, REFUSED = "login.accepted", "login.refused"


class WaitingAct(msgspec.Struct, frozen=True):
    """An act as it waits in the file, under the id of the command that will note it."""

    id: str
    at: float
    action: str
    by: str
    subject: str
    before: str = ""
    after: str = ""
    why: str = ""

    @property
    def act(self) -> ActNoted:
        """The act, with when it happened where that is not when it is noted."""
        happened = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.at))
        why = ": ".join(filter(None, (f"at {happened}", self.why)))
        return ActNoted(self.action, self.by, self.subject, self.before, self.after, why)


def append(state: Path, act: ActNoted) -> None:
    """Keep an act for the lab with this state folder, durably, until its ledger runs."""
    kept = WaitingAct(
        f"act-{os.urandom(12).hex()}", time.time(), act.action, act.by, act.subject, act.before, act.after, act.why
    )
    with _locked(state / FILE) as file:
        file.seek(0, os.SEEK_END)
        file.write(msgspec.json.encode(kept) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def deliver(state: Path, ledger: LedgerClient) -> None:
    """Note all acts that were kept. Those that were noted before a crash are noted once all the same. Raises LabError."""
    if not (state / FILE).exists():
        return
    with _locked(state / FILE) as file:
        for line in file.read().splitlines():
            try:
                kept = msgspec.json.decode(line, type=WaitingAct)
            except (msgspec.DecodeError, msgspec.ValidationError) as error:
                log.warning("an act cannot be read: %s", error, extra=fields(event="act.unreadable"))
                continue
            ledger.note_act(kept.act, id=kept.id)
        file.truncate(0)


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The file, made if there is none, for this process alone."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(handle, "r+b") as file:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield file


class AccessLog:
    """Who was let in and who was refused, told to the ledger by a thread of its own: whoever serves requests waits for nothing.

    An act that comes again within a while is counted and told of with its number.
    """

    def __init__(self, ledger: LedgerClient, now: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._now = now
        self._lock = threading.Lock()
        self._counts: dict[ActNoted, int] = {}
        self._noted: dict[ActNoted, float] = {}

    def accepted(self, by: str, where: str, how: str, *, once: bool = False) -> None:
        """`by` was let in at `where`; `once` says that one of several requests of a login is told of."""
        act = ActNoted(ACCEPTED, by, where, why=how)
        with self._lock:
            if once and self._now() - self._noted.get(act, float("-inf")) < SESSION_S:
                return
            self._count(act)
            if once:
                self._noted[act] = self._now()

    def refused(self, by: str, where: str, why: str) -> None:
        """`by`, empty if nobody knows, was refused at `where`."""
        with self._lock:
            self._count(ActNoted(REFUSED, by, where, why=why))

    def _count(self, act: ActNoted) -> None:
        known = act in self._counts or len(self._counts) < MAX_KINDS
        counted = act if known else ActNoted(act.action, "", act.subject, why=OTHERS)
        self._counts[counted] = self._counts.get(counted, 0) + 1

    def run(self, stopping: Callable[[float], bool]) -> None:
        """Tell the ledger until `stopping(seconds)`, which waits that long, says so."""
        while not stopping(LOOK_INTERVAL_S):
            self.flush()
        self.flush(everything=True)

    def start(self, stopping: Callable[[float], bool]) -> threading.Thread:
        """Run in a thread."""
        thread = threading.Thread(target=self.run, args=(stopping,), name="access-log", daemon=True)
        thread.start()
        return thread

    def flush(self, everything: bool = False) -> None:
        """Note what is due: at once what is new, and what came again when its while is over."""
        due = self._due(everything)
        for place, (act, count) in enumerate(due):
            try:
                self._ledger.note_act(replace(act, count=count))
            except LabError as error:
                log.warning("an act is noted later: %s", error, extra=fields(event="act.waits"))
                self._put_back(due[place:])
                return

    def _put_back(self, acts: Sequence[tuple[ActNoted, int]]) -> None:
        with self._lock:
            for act, count in acts:
                self._counts[act] = self._counts.get(act, 0) + count
                self._noted.pop(act, None)

    def _due(self, everything: bool) -> list[tuple[ActNoted, int]]:
        now = self._now()
        with self._lock:
            old = [act for act, at in self._noted.items() if now - at > SESSION_S and act not in self._counts]
            for act in old:
                del self._noted[act]
            due = [
                act
                for act in self._counts
                if everything or act.action == ACCEPTED or now - self._noted.get(act, float("-inf")) >= AGAIN_S
            ]
            for act in due:
                self._noted[act] = now
            return [(act, self._counts.pop(act)) for act in due]
