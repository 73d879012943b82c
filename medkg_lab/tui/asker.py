"""Asking the lab without ever waiting in the event loop: questions run in threads, answers come back as callbacks."""

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab

T = TypeVar("T")


class Loop(Protocol):
    """What answers are handed to: a callback given here from any thread runs in the event loop."""

    @property
    def is_running(self) -> bool:
        """Whether it takes callbacks; not any more while the screen is being left."""

    def call_later(self, callback: Callable[..., Any], *args: Any) -> bool:
        """Run `callback` in the event loop."""


class ScreenFault(LabError):
    """The screen could not use the lab's answer: {detail}. The lab itself goes on; `medkg-lab status` shows how it is."""


class NoRoom(LabError):
    """The disk is full, so this was not done: {detail}. Make room and do it again; what was taken before is safe."""


@dataclass(frozen=True)
class _Question:
    work: Callable[[Lab], Any]
    then: Callable[[Any], Any]
    failed: Callable[[LabError], Any]


def _told(error: Exception) -> LabError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(detail=str(error))
    return ScreenFault(detail=f"{type(error).__name__}: {error}")


class Asker:
    """Runs questions to the lab in daemon threads, so that leaving the screen never waits for one.

    One question of a group is under way at a time; of those that wait only the newest is kept.
    """

    def __init__(self, lab: Lab, loop: Loop) -> None:
        self._lab = lab
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: dict[str, _Question | None] = {}
        self._closed = False

    def close(self) -> None:
        """Hand over no more answers."""
        self._closed = True

    def ask(
        self, group: str, work: Callable[[Lab], T], then: Callable[[T], Any], failed: Callable[[LabError], Any]
    ) -> None:
        """Run `work(lab)` in a thread, then `then(answer)` or `failed(error)` in the event loop."""
        question = _Question(work, then, failed)
        with self._lock:
            if group in self._waiting:
                self._waiting[group] = question
                return
            self._waiting[group] = None
        threading.Thread(target=self._run, args=(group, question), name=f"ask {group}", daemon=True).start()

    def act(self, work: Callable[[Lab], T], then: Callable[[T], Any], failed: Callable[[LabError], Any]) -> None:
        """As `ask`, but never dropped for a newer one."""
        question = _Question(work, then, failed)
        threading.Thread(target=self._answer, args=(question,), name="act", daemon=True).start()

    def _run(self, group: str, question: _Question | None) -> None:
        while question is not None:
            self._answer(question)
            with self._lock:
                question = self._waiting[group]
                if question is None:
                    del self._waiting[group]
                else:
                    self._waiting[group] = None

    def _answer(self, question: _Question) -> None:
        try:
            answer = question.work(self._lab)
        except LabError as error:
            self._hand(question.failed, error)
        except Exception as error:  # noqa: BLE001 - thread boundary: a bug or a full disk becomes a sentence on the screen
            self._hand(question.failed, _told(error))
        else:
            self._hand(question.then, answer)

    def _hand(self, callback: Callable[[Any], Any], answer: Any) -> None:
        if not self._closed:
            self._loop.call_later(self._deliver, callback, answer)

    def _deliver(self, callback: Callable[[Any], Any], answer: Any) -> None:
        """In the event loop: an answer that comes while the screen is being left has no widget to go to."""
        if self._loop.is_running and not self._closed:
            callback(answer)
