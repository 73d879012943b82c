"""Nothing of the lab speaks to anyone beyond this machine: the whole demo, on a network where every packet that leaves counts."""

import os
import sys
from pathlib import Path

import pytest

from tests import isolated_network
from tests.labs import TestLab

pytestmark = pytest.mark.skipif(bool(isolated_network.why_not()), reason=isolated_network.why_not())

COMMAND = [sys.executable, "-m", "medkg_lab.cli.main"]


def test_what_leaves_is_counted(short_tmp: Path) -> None:
    ask = (
        "import socket; s = socket.socket(); s.setblocking(False); s.connect_ex(('192.0.2.1', 443)); "
        "socket.socket(2, 2).sendto(b'x', ('192.0.2.2', 53))"
    )
    counted = isolated_network.run([sys.executable, "-c", ask], TestLab(short_tmp, short_tmp).environment, 60)
    assert counted.sent.keys() == {"192.0.2.1:443", "192.0.2.2:53"}


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_whole_demo_sends_nothing_beyond_loopback(short_tmp: Path) -> None:
    cache = Path(os.environ.get("MEDKG_LAB_CACHE", str(short_tmp / "cache")))
    lab = TestLab(short_tmp / "home", cache)
    counted = isolated_network.run([*COMMAND, "demo", "--json", "--home", str(lab.home)], lab.environment, 500)
    assert counted.code == 0, counted.err[-2000:]
    assert counted.sent == {}


def test_what_imports_onnxruntime_outside_of_a_lab_sends_nothing(short_tmp: Path) -> None:
    lab = TestLab(short_tmp / "home", short_tmp / "cache")
    for arguments in (["doctor"], ["eval", "--help"]):
        counted = isolated_network.run([*COMMAND, *arguments], lab.environment, 100)
        assert counted.sent == {}, arguments
    embed = (
        "from medkg_lab.stages.embed.minilm import MiniLM; import time, pathlib, sys; MiniLM(pathlib.Path(sys.argv[1]))"
    )
    counted = isolated_network.run([sys.executable, "-c", embed, str(lab.cache)], lab.environment, 100)
    assert (counted.code, counted.sent) == (0, {}), counted.err[-2000:]
    assert not (lab.home / "nobody" / ".cache" / "Microsoft").exists()
