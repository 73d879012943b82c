"""The recorded outside: attempt by attempt, on a clock of its own, and never an answer that was not recorded."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.errors import LabError
from medkg_lab.repro.circuits import ReplayStateStore
from medkg_lab.repro.errors import NotInArchive, UnrecordedCall
from medkg_lab.repro.recorded_http import RecordedHttpClient, Recording
from medkg_lab.repro.virtual_time import VirtualClock, VirtualLoops
from medkg_lab.resilience.errors import BreakerOpen, StageTimeout, TimedOut
from medkg_lab.resilience.policies import ResiliencePolicyConfig
from medkg_lab.resilience.resilient_call import BreakerRegistry, ResilientCall
from medkg_lab.sources.errors import HttpTimeout, RateLimited, ServiceUnavailable
from medkg_lab.sources.exchanges import CANCELLED, request_key
from medkg_lab.stages.contracts import HttpAnswer
from tests.unit.repro.worlds import sha

URL = "https://example.org/studies/1"
POLICY = ResiliencePolicyConfig.model_validate(
    {
        "name": "tested",
        "max_attempts": 4,
        "backoff_strategy": "exponential",
        "backoff_initial_seconds": 2,
        "backoff_max_seconds": 30,
        "timeout_seconds": 20,
        "circuit_breaker": {"failure_threshold": 3, "reset_timeout_seconds": 60},
    }
)


def record(status: int | None, body: bytes = b"", url: str = URL, ms: float = 100.0, **more: Any) -> dict[str, Any]:
    """A recorded exchange of job j in stage ingest."""
    return {
        "key": request_key("GET", url, None),
        "method": "GET",
        "url": url,
        "ms": ms,
        "status": status,
        "headers": {},
        "body": sha(body),
        "size": len(body),
        "final_url": url,
        "error": "",
        "error_fields": {},
        "kept": True,
        "asked": "",
        "labels": {"job": "j", "stage": "ingest"},
        **more,
    }


def http(*records: dict[str, Any], bodies: tuple[bytes, ...] = (), **options: Any) -> RecordedHttpClient:
    """The outside of job j in stage ingest."""
    kept = {sha(body): body for body in bodies}
    recording = Recording(VirtualClock(1000.0), kept.__getitem__, beyond=options.pop("beyond", False))
    recording.load(records)
    return RecordedHttpClient(recording, "j", "ingest", **options)


def ask(made: RecordedHttpClient, url: str = URL, **more: Any) -> HttpAnswer:
    return made.request("GET", url, timeout=1, max_bytes=10, **more)


def test_answers_come_in_their_order_and_time_passes_on_the_clock_alone() -> None:
    made = http(record(429, headers={"retry-after": "7"}), record(503, ms=250.0), record(200, b"ok"), bodies=(b"ok",))
    began = time.monotonic()
    with pytest.raises(RateLimited) as limited:
        ask(made)
    assert limited.value.retry_after == 7
    with pytest.raises(ServiceUnavailable):
        ask(made)
    assert ask(made).body == b"ok"
    assert made.recording.clock.now() == pytest.approx(1000.45)
    assert time.monotonic() - began < 5


def test_what_was_never_recorded_fails_with_its_key_and_the_nearest() -> None:
    made = http(record(200, b""))
    with pytest.raises(UnrecordedCall, match="studies/1") as failed:
        ask(made, "https://example.org/studies/2?api_key=hidden")
    assert request_key("GET", "https://example.org/studies/2?api_key=x", None)[:12] in str(failed.value)
    assert "hidden" not in str(failed.value)
    ask(made)
    with pytest.raises(UnrecordedCall, match="given already"):
        ask(made)
    assert len(made.recording.unrecorded) == 2
    with pytest.raises(UnrecordedCall, match="nothing was recorded"):
        ask(http())


def test_beyond_the_recording_only_on_demand() -> None:
    made = http(record(429), beyond=True)
    for _ in range(3):
        with pytest.raises(RateLimited):
            ask(made)
    assert made.recording.assumed == 2


def test_errors_come_back_as_themselves() -> None:
    failed = {"error": "HttpTimeout", "error_fields": {"host": "example.org", "seconds": 5.0}}
    with pytest.raises(HttpTimeout, match="example"):
        ask(http(record(None, **failed)))
    with pytest.raises(ServiceUnavailable):
        ask(http(record(None, error="SomethingElse")))
    with pytest.raises(NotInArchive):
        ask(http(record(200, b"big", kept=False)))
    assert ask(http(record(503, b"")), endpoint=True).status == 503


def call_under(made: RecordedHttpClient, key: str = "source", timed: bool = False) -> Callable[[], HttpAnswer]:
    """A call under the policy, on the recording's clock."""
    clock = made.recording.clock
    state_store = ReplayStateStore(clock.now, lambda *_: None)
    registry = BreakerRegistry(clock=clock.now, now=clock.now, chance=lambda: 0.5, state_store=state_store, owner="run")
    call = ResilientCall(POLICY, key, timed=timed, registry=registry)
    loops = VirtualLoops(clock)
    return lambda: loops.run(None, call.call(lambda: made.request_async("GET", URL, timeout=1, max_bytes=10)))


def test_a_breaker_opens_and_its_minute_costs_nothing() -> None:
    made = http(*(record(503) for _ in range(3)), record(200, b""))
    clock = made.recording.clock
    call = call_under(made)
    with pytest.raises(LabError):
        call()
    with pytest.raises(BreakerOpen):
        call()
    clock.sleep(61)
    began = time.monotonic()
    assert call().status == 200
    assert time.monotonic() - began < 5


def test_a_call_that_took_too_long_times_out_again() -> None:
    gone = {"error": CANCELLED, "status": None}
    slow = [record(200, b"", ms=30_000.0), record(**gone, ms=19_990.0), record(200, b"", ms=30_000.0)]
    made = http(*slow, record(200, b""))
    with pytest.raises((StageTimeout, BreakerOpen)):
        call_under(made, timed=True)()
    assert 1060 <= made.recording.clock.now() < 1100


def test_a_stage_that_blocks_times_out_again() -> None:
    made = http(record(200, b"", ms=30_000.0), record(None, error=CANCELLED), limit=20.0)
    for _ in range(2):
        with pytest.raises(TimedOut):
            ask(made)
    assert made.recording.clock.now() == 1040


@given(waits=st.lists(st.floats(-5, 100), max_size=10))
def test_the_clock_never_goes_back(waits: list[float]) -> None:
    clock = VirtualClock(5.0)
    seen = [clock.now()]
    for wait in waits:
        clock.sleep(wait)
        clock.at_least(wait)
        seen.append(clock.now())
    assert seen == sorted(seen)
