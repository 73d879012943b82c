"""What a check is given, what it returns, and where it registers itself."""

import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.labs import TestLab

OTHER_USER = 65534
"""The uid that attacks: nobody's."""


@dataclass(frozen=True)
class Outcome:
    """Whether what came out is right, and what it was, in a line."""

    right: bool
    got: str


@dataclass(frozen=True)
class Context:
    """What a check works with: the case's folder of `inputs`, and a `scratch` folder that goes afterwards."""

    inputs: Path
    scratch: Path

    @contextmanager
    def lab(self, name: str = "lab", settings: str = "") -> Iterator[TestLab]:
        """A lab that runs, with the text of its settings.yaml; it is stopped afterwards."""
        lab = self.stopped_lab(name, settings)
        lab.ok("up")
        try:
            yield lab
        finally:
            lab.run("down")

    def stopped_lab(self, name: str = "lab", settings: str = "") -> TestLab:
        """A lab that was never started."""
        home = self.scratch / name
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if settings:
            (home / "config").mkdir(exist_ok=True, mode=0o700)
            (home / "config" / "settings.yaml").write_text(settings)
        cache = Path(os.environ.get("MEDKG_LAB_CACHE", str(home / "cache")))
        return TestLab(home, cache)

    def as_other_user(self, work: Callable[[], Any], timeout: float = 60) -> Any:
        """What `work` returns when another user of the machine does it, or the exception's text behind `raised: `."""
        fork = multiprocessing.get_context("fork")
        receiver, sender = fork.Pipe(duplex=False)

        def child() -> None:
            os.setgroups([])
            os.setgid(OTHER_USER)
            os.setuid(OTHER_USER)
            try:
                answer = work()
            except Exception as error:  # noqa: BLE001 - process boundary: the parent judges what happened
                answer = f"raised: {type(error).__name__}: {error}"
            sender.send(json.dumps(answer, default=str))

        process = fork.Process(target=child)
        process.start()
        try:
            return json.loads(receiver.recv()) if receiver.poll(timeout) else f"no end within {timeout:.0f} s"
        finally:
            process.kill()
            process.join()


Check = Callable[[Context], Outcome]


@dataclass(frozen=True)
class Case:
    """One case: `name` is its folder below the shared cases without the words behind the number, such as `lab/01`."""

    name: str
    expected: str
    check: Check
    as_root: bool = False


CASES: dict[str, Case] = {}


def case(name: str, expected: str, as_root: bool = False) -> Callable[[Check], Check]:
    """Register a check; `as_root` says that it needs a second user and with it root."""

    def register(check: Check) -> Check:
        assert name not in CASES, f"{name} has two checks"
        CASES[name] = Case(name, expected, check, as_root)
        return check

    return register


@contextmanager
def context(inputs: Path) -> Iterator[Context]:
    """A context with a scratch folder of a short path, since Unix sockets lie below it."""
    scratch = Path(tempfile.mkdtemp(prefix="mc", dir="/tmp"))
    try:
        yield Context(inputs, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
