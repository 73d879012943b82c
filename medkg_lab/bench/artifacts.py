"""What keeping artifacts costs: one append and one fdatasync per batch, against a file with a rename per value.

`python -m medkg_lab.bench.artifacts [--json]`; the two ways alternate, so that a slow moment of the disk meets both.
"""

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from medkg_lab.artifacts.store import ArtifactStore

BATCH = 48
ROUNDS = 20
SIZES = (500, 8_000, 60_000)


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


def measure(folder: Path, size: int) -> dict[str, float]:
    """Median milliseconds per batch of either way, and their ratio, for values of `size` bytes."""
    store = ArtifactStore(folder / f"packs-{size}", "bench")
    files = folder / f"files-{size}"
    files.mkdir()
    packed, filed = [], []
    for number in range(ROUNDS):
        values = batch_of(size, number)
        packed.append(_milliseconds(lambda values=values: store.put_many(values)))  # type: ignore[misc]
        filed.append(_milliseconds(lambda values=values: put_in_files(files, values)))  # type: ignore[misc]
    store.close()
    pack, file = statistics.median(packed), statistics.median(filed)
    return {
        "bytes": size,
        "batch": BATCH,
        "pack_ms": round(pack, 2),
        "file_ms": round(file, 2),
        "pack_ms_per_document": round(pack / BATCH, 4),
        "ratio": round(file / pack, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        rows = [measure(Path(folder), size) for size in SIZES]
    print(json.dumps({"bench": "artifacts", "rows": rows}) if given.json else "\n".join(map(str, rows)))


if __name__ == "__main__":
    main()
