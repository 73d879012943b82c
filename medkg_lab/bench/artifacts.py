"""What keeping artifacts costs: one append and one fdatasync per batch, against a file with a rename per value.

The two ways alternate, so that a slow moment of the disk meets both.
"""

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.bench.figures import Report, at_least

BATCH = 48
SIZES = (500, 8_000, 60_000)
RATIO = 2.0


@dataclass(frozen=True)
class Options:
    """How often the ways alternate, and the folder in which they write: on the disk in question."""

    rounds: int = 20
    folder: Path | None = None


def batch_of(size: int, number: int) -> list[bytes]:
    """A batch of distinct values of `size` bytes."""
    return [hashlib.sha256(f"{number}-{one}".encode()).digest() * (size // 32 + 1) for one in range(BATCH)]


def put_in_files(folder: Path, values: Sequence[bytes]) -> None:
    """Keep each value in a file of its own: written, synced, renamed."""
    for value in values:
        name = hashlib.sha256(value).hexdigest()
        temporary = folder / f".{name}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(handle, value)
            os.fdatasync(handle)
        finally:
            os.close(handle)
        temporary.rename(folder / name)


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSize:
    """What values of a size took, in packs and as files."""

    bytes: int
    batch: int = BATCH
    pack_ms: float
    file_ms: float
    pack_ms_per_document: float
    ratio: float


def _of_size(folder: Path, size: int, rounds: int) -> OfSize:
    """Median milliseconds per batch of either way, and their ratio, for values of `size` bytes."""
    store = ArtifactStore(folder / f"packs-{size}", "bench")
    files = folder / f"files-{size}"
    files.mkdir()
    packed, filed = [], []
    for number in range(rounds):
        values = batch_of(size, number)
        packed.append(_milliseconds(lambda values=values: store.put_many(values)))  # type: ignore[misc]
        filed.append(_milliseconds(lambda values=values: put_in_files(files, values)))  # type: ignore[misc]
    store.close()
    pack, file = statistics.median(packed), statistics.median(filed)
    return OfSize(
        bytes=size,
        pack_ms=round(pack, 2),
        file_ms=round(file, 2),
        pack_ms_per_document=round(pack / BATCH, 4),
        ratio=round(file / pack, 1),
    )


def measure(options: Options) -> Report:
    """Measure each size."""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = [_of_size(Path(folder), size, options.rounds) for size in SIZES]
    least = min(row.ratio for row in rows)
    targets = [at_least("a file for each value, ms / one append, ms: least of all sizes", least, RATIO)]
    return Report(bench="artifacts", targets=targets, detail={"sizes": rows})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this measurement."""
    parser.add_argument("--rounds", type=int, default=Options.rounds, help="how often the ways alternate")
    parser.add_argument("--folder", type=Path, help="where the values are kept: on the disk in question")


def options_from(args: argparse.Namespace) -> Options:
    """The options that were given."""
    return Options(args.rounds, args.folder)
