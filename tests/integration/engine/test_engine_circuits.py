"""Breakers and rates that engines share through the ledger, and policies that change while an engine runs."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from medkg_lab.errors import DocumentError, ServiceError
from medkg_lab.event_loop import LoopThread, in_thread
from medkg_lab.ledger.answers import CircuitRow
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.resilience.breaker import call_in_thread
from medkg_lab.resilience.errors import BreakerOpen
from medkg_lab.resilience.policies import BackoffStrategy, CircuitBreakerConfig, ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import BreakerRegistry, ResilientCall
from tests.integration.engine.processes import Lab, all_events, register, running_ledger, spec, states, topology
from tests.told import specs
from tests.waiting import wait_until

T = TypeVar("T")


class Down(ServiceError):
    """The service is down."""


class Odd(DocumentError):
    """The document is odd."""


def policy(name: str, reset: int = 300, rate: float | None = None) -> ResiliencePolicyConfig:
    """A policy of one attempt; its circuit may be probed sooner than a policy file allows."""
    breaker = CircuitBreakerConfig.model_construct(failure_threshold=3, reset_timeout_seconds=reset)
    return ResiliencePolicyConfig.model_construct(
        name=name,
        max_attempts=1,
        backoff_strategy=BackoffStrategy.NONE,
        backoff_initial_seconds=1.0,
        backoff_max_seconds=1.0,
        backoff_jitter_seconds=0.0,
        timeout_seconds=30,
        deadline_seconds=None,
        circuit_breaker=breaker,
        rate_limit_per_second=rate,
    )


class Caller:
    """Calls plain functions under a policy as the engine `owner` does."""

    def __init__(self, rules: ResiliencePolicyConfig, state_store: Any, owner: str) -> None:
        registry = BreakerRegistry(state_store=state_store, owner=owner, store_call=call_in_thread)
        self._made = ResilientCall(rules, "stage:source", registry=registry)
        self._loop = LoopThread("calls")

    def call(self, function: Callable[[], T]) -> T:
        async def plain() -> T:
            return await in_thread(function, "called")

        return self._loop.run(self._made.call(plain))


def call(lab: Lab, rules: ResiliencePolicyConfig, owner: str) -> Caller:
    """A call as the engine `owner` makes it."""
    return Caller(rules, lab.client(), owner)


def fail() -> None:
    raise Down()


def refused(made: Caller) -> bool:
    """Whether a call is refused; it fails otherwise."""
    with pytest.raises((Down, BreakerOpen)) as caught:
        made.call(fail)
    return isinstance(caught.value, BreakerOpen)


def circuit(lab: Lab, name: str) -> CircuitRow | None:
    """What the ledger says of the circuit."""
    return next((one for one in lab.client().breakers() if one.policy == name), None)


def test_failures_of_two_engines_open_one_circuit(lab: Lab) -> None:
    rules = policy(f"both-{uuid4().hex[:8]}")
    first, second = call(lab, rules, "one"), call(lab, rules, "two")
    assert [refused(first), refused(second), refused(first)] == [False, False, False]
    assert refused(first)
    found = circuit(lab, rules.name)
    assert found is not None
    assert (found.state, found.failures) == ("open", 3)
    # The other learns it from its own next failure, and is refused from then on.
    assert [refused(second), refused(second)] == [False, True]


def test_a_document_at_fault_says_nothing_about_the_service(lab: Lab) -> None:
    rules = policy(f"odd-{uuid4().hex[:8]}")
    made = call(lab, rules, "one")

    def odd() -> None:
        raise Odd()

    for _ in range(5):
        with pytest.raises(Odd):
            made.call(odd)
    assert circuit(lab, rules.name) is None


def test_a_success_ends_the_row_of_failures(lab: Lab) -> None:
    rules = policy(f"row-{uuid4().hex[:8]}")
    made = call(lab, rules, "one")
    for _ in range(2):
        assert not refused(made)
    assert made.call(lambda: "well") == "well"
    assert [refused(made), refused(made), refused(made), refused(made)] == [False, False, False, True]


def test_a_closed_circuit_asks_nobody() -> None:
    class Silent:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"{name} was asked")

    made = Caller(policy("healthy"), Silent(), "one")
    assert [made.call(lambda n=n: n) for n in range(3)] == [0, 1, 2]


def test_of_many_engines_one_probes_and_its_success_closes_the_circuit_for_all(lab: Lab) -> None:
    rules = policy(f"probe-{uuid4().hex[:8]}", reset=1)
    engines = [call(lab, rules, f"engine-{n}") for n in range(5)]
    for made in engines:
        assert not refused(made)
    found = circuit(lab, rules.name)
    assert found is not None
    assert found.until is not None
    until = found.until
    # The first two failed before the circuit opened: they learn of it from one more failure.
    for made in engines[:2]:
        refused(made)
    wait_until(lambda: time.time() > until, 10, "the circuit may be probed")
    release, outcomes, calls = threading.Event(), [], []

    def probe() -> str:
        calls.append(1)
        release.wait(10)
        return "well"

    def attempt(made: Caller) -> None:
        try:
            outcomes.append(made.call(probe))
        except BreakerOpen:
            outcomes.append("refused")

    threads = [threading.Thread(target=attempt, args=(made,)) for made in engines]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(outcomes) == 4, 20, "the others are refused")
    release.set()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 4 + ["well"]
    assert len(calls) == 1
    found = circuit(lab, rules.name)
    assert found is not None
    assert found.state == "closed"


def _lease(socket: Path, name: str, seconds: float, queue: Any) -> None:
    made = Caller(policy(name, rate=8.0), LedgerClient(socket), "one of three")
    until, calls = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        made.call(lambda: None)
        calls += 1
    queue.put(calls)


def test_three_processes_together_keep_to_one_rate(lab: Lab) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    arguments = (lab.locations.socket("ledger"), f"rate-{uuid4().hex[:8]}", 2.0, queue)
    processes = [context.Process(target=_lease, args=arguments) for _ in range(3)]
    began = time.monotonic()
    for process in processes:
        process.start()
    calls = [queue.get(timeout=60) for _ in processes]
    took = time.monotonic() - began
    for process in processes:
        process.join()
    assert 3 <= sum(calls) <= 8.0 * took + 8.0 * 0.5 + len(processes)


def test_calls_go_on_while_the_ledger_is_away(short_tmp: Path) -> None:
    made = Caller(policy("away", rate=100.0), LedgerClient(short_tmp / "nobody.sock", deadline=0.2), "one")
    assert made.call(lambda: "well") == "well"
    assert not refused(made)


def test_a_policy_that_changes_on_disk_holds_from_the_next_batch_on(short_tmp: Path) -> None:
    with running_ledger(short_tmp / "lab") as lab:
        client = lab.client()
        pipeline = topology("flaky", "ingest", "parse", "chunk")
        register(client, pipeline)
        lab.engine()
        first = spec(pipeline, "first", content="flaky")
        client.submit(specs([first]))
        wait_until(lambda: set(states(client, [first["job_id"]]).values()) == {"completed"}, 30, "the second try helps")
        before = len(client.definitions("policies"))
        once = "policies:\n- name: twice\n  max_attempts: 1\n  backoff_strategy: none\n  timeout_seconds: 30\n"
        (lab.locations.config / "policies.yaml").write_text(once)
        # The engine registers the policies when it has read them; nobody restarts it.
        wait_until(lambda: len(client.definitions("policies")) > before, 30, "the engine has read them")
        second = spec(pipeline, "second", content="flaky")
        client.submit(specs([second]))
        wait_until(lambda: set(states(client, [second["job_id"]]).values()) == {"failed"}, 30, "there is no second try")
        claims = [event for event in all_events(client) if event["type"] == "job.claimed"]
        assert claims[0]["data"]["policies_version"] != claims[-1]["data"]["policies_version"]
