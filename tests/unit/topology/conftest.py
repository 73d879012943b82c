"""What the topology tests share: a published package of stage implementations, and drawn topologies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medkg_lab import plugins
from medkg_lab.stages import registry

_MODULE = """
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.registry import Implementation, Options

class Sizes(Options):
    size: int = 10

def _build(resources, options):
    raise AssertionError("not built here")

CHUNKER = Implementation(name="sample.chunker", stage_type=StageType.CHUNK, summary="", build=_build, options=Sizes)
NOTHING = "no implementation"
"""

_ENTRY_POINTS = """
[medkg_lab.stages]
sample.chunker = sample_stages:CHUNKER
sample.absent = sample_stages_absent:CHUNKER
sample.nothing = sample_stages:NOTHING
"""


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package that publishes one good and two broken implementations."""
    site = tmp_path / "site"
    info = site / "sample_stages-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sample-stages\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(_ENTRY_POINTS)
    (site / "sample_stages.py").write_text(_MODULE)
    monkeypatch.syspath_prepend(str(site))
    _forget()
    yield
    _forget()


def _forget() -> None:
    registry.find.cache_clear()
    plugins.points.cache_clear()
    plugins.load.cache_clear()
