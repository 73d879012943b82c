"""Files put into a home, all of them or none."""

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self


class AtomicInstall:
    """Inside the block, folders and files are made for their owner alone; when it ends by an exception they are gone again."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for path in reversed(self._made):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def folder(self, path: Path) -> None:
        """Make `path` and what is above it where they are missing; what comes to lie in them counts as placed too."""
        for each in (*reversed(path.parents), path):
            if not each.exists():
                self._made.append(each)
                each.mkdir(mode=0o700, exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        """Write a new file."""
        self.folder(path.parent)
        self._made.append(path)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
