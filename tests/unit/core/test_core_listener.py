"""A socket that is listened at comes back when it was removed, with its folders."""

import asyncio
import shutil
import stat
from pathlib import Path

import pytest

from medkg_lab import listener, rpc
from tests.waiting import wait_until


async def _echo(args: dict[str, object]) -> dict[str, object]:
    return args


def test_a_removed_socket_is_made_again(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "CHECK_INTERVAL_S", 0.05)
    path = short_tmp / "run" / "lab" / "x.sock"
    path.parent.mkdir(parents=True, mode=0o700)
    path.parent.parent.chmod(0o700)

    async def scenario() -> None:
        async with await rpc.serve(path, {"echo": _echo}):
            with rpc.Client(path, deadline=10) as old, rpc.Client(path, deadline=10) as new:
                assert await asyncio.to_thread(old.call, "echo", a=1) == {"a": 1}
                shutil.rmtree(short_tmp / "run")
                await asyncio.to_thread(wait_until, path.exists, 20, "the socket")
                assert await asyncio.to_thread(new.call, "echo", a=2) == {"a": 2}
                assert await asyncio.to_thread(old.call, "echo", a=3) == {"a": 3}, "who is connected stays so"
        modes = [stat.S_IMODE(one.stat().st_mode) for one in (path.parent.parent, path.parent)]
        assert modes == [0o700, 0o700]

    asyncio.run(scenario())
