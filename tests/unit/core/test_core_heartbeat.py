"""Signs of life: given from the loop or a thread, never in the way of who gives them."""

import asyncio
import subprocess
import sys
import threading

import pytest

from medkg_lab import heartbeat
from tests.waiting import wait_until

FULL = """
from medkg_lab import heartbeat
for _ in range(100_000):
    heartbeat.beat()
print("done", file=__import__("sys").stderr)
"""


def test_a_pipe_that_nobody_reads_holds_up_nobody() -> None:
    done = subprocess.Popen([sys.executable, "-c", FULL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert done.stderr is not None
        assert done.stderr.read() == "done\n"
    finally:
        done.kill()
        done.communicate()


def test_the_loop_gives_signs_and_none_while_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setenv(heartbeat.VARIABLE, "1")
    monkeypatch.setattr(heartbeat, "INTERVAL_S", 0.0)
    monkeypatch.setattr(heartbeat, "beat", lambda: given.append(threading.current_thread().name))

    async def main() -> None:
        heartbeat.start()
        await asyncio.to_thread(wait_until, lambda: len(given) > 3, 20, "signs")

    asyncio.run(main())
    assert set(given) == {threading.current_thread().name}, "from the loop's own thread, which hangs with it"


def test_nobody_else_is_given_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(heartbeat.VARIABLE, raising=False)
    before = threading.active_count()
    heartbeat.start()
    assert threading.active_count() == before


def test_a_thread_that_no_longer_goes_round_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("medkg_lab.heartbeat.time.monotonic", lambda: now[0])
    rounds = heartbeat.LoopWatchdog(lambda seconds: seconds > 0)
    now[0] = heartbeat.STUCK_S
    assert not rounds.is_alive()
    assert (rounds(0), rounds(1)) == (False, True)
    assert rounds.is_alive()
