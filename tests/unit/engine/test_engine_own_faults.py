"""Whose fault a failure is: the document's, a service's outside, or the lab's own; and batches that are owed to the ledger."""

import asyncio
import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from medkg_lab.engine import transitions
from medkg_lab.engine.errors import is_full, own_part
from medkg_lab.engine.handback import Handback
from medkg_lab.engine.stage_calls import StageCalls
from medkg_lab.engine.stage_factory import BuiltStage
from medkg_lab.errors import DocumentError, PartAway, ServiceError
from medkg_lab.knowledge.errors import KnowledgeUnavailable
from medkg_lab.ledger.errors import BatchNotOwned, DiskFull, LedgerClosing
from medkg_lab.resilience.errors import BreakerOpen
from medkg_lab.resilience.policies import BackoffStrategy, ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import BreakerRegistry
from medkg_lab.rpc import PeerUnreachable
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.registry import Implementation


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (KnowledgeUnavailable(detail="x"), "knowledge"),
        (BreakerOpen(key="knowledge.index", seconds=1.0, failures=5), "knowledge"),
        (BreakerOpen(key="ingest.sources:pmc", seconds=1.0, failures=5), None),
        (ServiceError(detail="x"), None),
        (DocumentError(detail="x"), None),
        (ValueError("a bug"), None),
    ],
)
def test_only_the_lab_s_own_processes_are_its_fault(error: Exception, part: str | None) -> None:
    assert own_part(error) == part
    assert transitions.failed("index", "a", 0.0, 1.0, 1, error)[1].own == part


def test_a_full_machine_is_no_document_s_fault() -> None:
    assert is_full(OSError(errno.ENOSPC, "No space left on device"))
    assert not is_full(OSError(errno.ENOENT, "No such file"))
    assert not is_full(ValueError("no"))


def test_a_reason_can_always_be_sent() -> None:
    (_, told) = transitions.failed("parse", "a", 0.0, 1.0, 1, ValueError("no file \udcff.txt"))
    assert told.reason.encode() == rb"ValueError: no file \udcff.txt"


class Away:
    """A stage that stores in a process that is away."""

    def __init__(self) -> None:
        self.calls = 0

    def execute_many(self, contexts: Sequence[Any], items: Sequence[int]) -> Sequence[Any]:
        self.calls += 1
        raise PeerUnreachable(path="knowledge.sock", op="index", seconds=1.0, detail="Connection refused")


def test_a_part_that_is_away_is_asked_once_for_all_documents() -> None:
    """Neither the policy nor halving tries again: the stage has waited already, and the batch goes back."""
    stage = Away()
    policy = ResiliencePolicyConfig(
        name="test", max_attempts=5, backoff_strategy=BackoffStrategy.NONE, timeout_seconds=30
    )
    built = BuiltStage(stage, Implementation("away", StageType.INDEX, "", lambda resources, options: stage))
    calls = StageCalls(built, policy, True, lambda *_: None, BreakerRegistry())
    contexts: list[Any] = [None] * 8
    outcomes = asyncio.run(calls.run(contexts, list(range(8))))
    assert stage.calls == 1
    assert all(isinstance(outcome.error, PartAway) for outcome in outcomes)


class Ledger:
    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.given: list[str] = []

    def surrender(self, batch_id: str, stage: str | None = None) -> dict[str, Any]:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.given.append(batch_id)
        return {}


def test_what_is_owed_outlives_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    handback = Handback(path)
    handback.owe("b1")
    handback.owe("b2")
    handback.owe("b1")
    away: Any = Ledger(LedgerClosing())
    with pytest.raises(PartAway):
        handback.return_batches(away)
    ledger: Any = Ledger(BatchNotOwned(batch_id="b1", what="any job"))
    following = Handback(path)
    following.return_batches(ledger)
    assert ledger.given == ["b2"]
    assert not following
    assert not path.exists()


def test_a_full_disk_of_the_ledger_s_forgets_nothing(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    handback = Handback(path)
    handback.owe("b1")
    full: Any = Ledger(DiskFull(path=tmp_path, mib=64))
    with pytest.raises(DiskFull):
        handback.return_batches(full)
    assert handback
    ledger: Any = Ledger()
    Handback(path).return_batches(ledger)
    assert ledger.given == ["b1"]


def test_two_threads_that_give_back_forget_only_what_they_gave(tmp_path: Path) -> None:
    """An engine that ends gives back what its other thread is still waiting to give."""
    handback = Handback(tmp_path / "engine.json")
    for batch_id in ("b1", "b2"):
        handback.owe(batch_id)
    other: Any = Ledger(None, LedgerClosing())

    class Waiting(Ledger):
        def surrender(self, batch_id: str, stage: str | None = None) -> dict[str, Any]:
            if other.answers:
                with pytest.raises(PartAway):
                    handback.return_batches(other)
                raise BatchNotOwned(batch_id=batch_id, what="any job")
            return super().surrender(batch_id, stage)

    waiting: Any = Waiting()
    handback.return_batches(waiting)
    assert (other.given, waiting.given) == (["b1"], ["b2"])


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "{}"])
def test_a_damaged_file_owes_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "e.json").write_text(content)
    assert not Handback(tmp_path / "e.json")
