"""Checkpoints that somebody or a disk has changed: the files are read instead."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medkg_lab.broker.embedded import recovery
from tests.unit.broker.test_broker_log import append, content, open_log, sync


def _damages(value: Any) -> Iterator[Any]:
    """`value` with one part after the other missing, empty or of another kind."""
    if isinstance(value, dict):
        yield from ({name: inner for name, inner in value.items() if name != gone} for gone in value)
        yield from (value | {name: other} for name, inner in value.items() for other in _damages(inner))
    elif isinstance(value, list):
        yield from (value[:place] + value[place + 1 :] for place in range(len(value)))
        yield from (
            [*value[:place], other, *value[place + 1 :]]
            for place, inner in enumerate(value)
            for other in _damages(inner)
        )
    yield from (None, "x", [], {})


def test_a_checkpoint_with_any_part_damaged_is_as_good_as_none(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    append(log, b"a")
    append(log, b"b", producer=(7, 0, 0))
    sync(log)
    log.checkpoint()
    log.close()
    kept = json.loads((tmp_path / recovery.CHECKPOINT).read_bytes())
    for damaged in _damages(kept):
        (tmp_path / recovery.CHECKPOINT).write_text(json.dumps(damaged))
        again = open_log(tmp_path)
        assert content(again) == [b"a", b"b"]
        assert again.end_offset == 2
        again.close()
