"""How long a lab that starts is waited for."""

import pytest

from medkg_lab.supervisor.errors import LabNotReady, LabStarting
from medkg_lab.supervisor.readiness import MAX_FAILURES, STALLED_S, Readiness
from tests.answers import process


def test_what_computes_is_waited_for_until_the_time_is_over() -> None:
    readiness = Readiness(1000)
    for second in range(0, 999, 50):
        assert not readiness.reached([process("a", "starting", cpu_seconds=second / 100)], second)
    assert readiness.reached([process("a", "ready")], 999)
    with pytest.raises(LabStarting, match=r"still starting after 1000 s: a \(starting: for 1000 s by now\)"):
        readiness.reached([process("a", "starting", cpu_seconds=99.0)], 1000)


def test_what_does_nothing_is_not() -> None:
    readiness = Readiness(1000)
    assert not readiness.reached([process("a", "starting"), process("b", "absent")], 0)
    assert not readiness.reached([process("a", "ready"), process("b", "starting")], STALLED_S - 1)
    assert not readiness.reached([process("a", "ready"), process("b", "starting")], 2 * STALLED_S - 2)
    with pytest.raises(LabStarting) as caught:
        readiness.reached([process("a", "ready"), process("b", "starting")], 2 * STALLED_S)
    assert caught.value.exit_code == 3


def test_what_can_never_come_ends_the_wait_at_once() -> None:
    given_up = process("broker", "given_up", reason="the port is in use")
    waiting = [
        process("bridge", "absent", after=["broker"], reason="waits for broker"),
        process("x", "absent", after=["bridge"]),
    ]
    with pytest.raises(LabNotReady, match=r"broker \(given_up: the port is in use\); bridge .*; x ") as caught:
        Readiness(1000).reached([given_up, *waiting, process("other", "starting")], 0)
    assert caught.value.exit_code == 3


def test_one_that_fails_again_and_again_is_not_waited_for() -> None:
    readiness = Readiness(1000)
    assert not readiness.reached([process("a", "exited", failures=MAX_FAILURES - 1, reason="no")], 0)
    with pytest.raises(LabNotReady, match=r"a \(exited: no\)"):
        readiness.reached([process("a", "exited", failures=MAX_FAILURES, reason="no")], 1)


def test_servers_of_the_profile_are_never_waited_for() -> None:
    servers = [process("server-a", "given_up", slow=True), process("pdf", "absent", slow=True)]
    assert Readiness(10).reached([*servers, process("a", "ready")], 0)
