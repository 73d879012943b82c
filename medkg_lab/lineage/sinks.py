"""Where lineage events go: a file, exactly once, or a service over HTTP, at least once."""

import logging
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from medkg_lab.files import sync
from medkg_lab.lineage.errors import LineageNotTaken, LineageNotWritten
from medkg_lab.logs import fields
from medkg_lab.sources.http_client import HttpxClient, trusted_hosts

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 64 * 1024
PATH = "/api/v1/lineage"
"""Where an OpenLineage service takes events: https://openlineage.io/apidocs/openapi/."""
_MALFORMED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})
"""What a service answers that will never take an event."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file is known to be ours: its inode, and its size up to there."""

    inode: int = 0
    size: int = 0


class Sink(Protocol):
    """Takes events. `portion` is how many of the ledger's events may be told of before the place is saved."""

    portion: int

    def put(self, lines: Sequence[bytes], mark: Mark) -> Mark:
        """Take `lines`, behind `mark`; the new one. Raises LabError; all of them are then put again."""

    def begin(self, mark: Mark) -> Mark:
        """Where to go on from after a start with the last saved mark. Raises LabError."""


class FileSink:
    """Appends lines to a file that only its owner may read.

    What stands behind the saved mark was written by a process that ended before it could save: it is cut off and told again. A
    file that is not the one of the mark, because somebody moved that away, is appended to.
    """

    portion = 1000

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, mark: Mark) -> Mark:
        """The end of the file, without what is told again."""
        with _Opened(self._path) as handle:
            found = os.fstat(handle)
            if found.st_ino == mark.inode and found.st_size > mark.size:
                os.ftruncate(handle, mark.size)
                os.fsync(handle)
            return _mark(handle)

    def put(self, lines: Sequence[bytes], mark: Mark) -> Mark:
        """Append, durably."""
        with _Opened(self._path) as handle:
            found = _mark(handle)
            if found.inode == mark.inode and found.size > mark.size:
                os.ftruncate(handle, mark.size)  # an attempt that failed half-way, as on a full disk
            data = memoryview(b"".join(line + b"\n" for line in lines))
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
            return _mark(handle)


class _Opened:
    """The file at a path, opened for appending and made if there is none. Raises LineageNotWritten."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def __enter__(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        is_new = not self._path.exists()
        try:
            self._handle = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise LineageNotWritten(path=self._path, detail=error.strerror) from error
        if not stat.S_ISREG(os.fstat(self._handle).st_mode):
            os.close(self._handle)
            raise LineageNotWritten(path=self._path, detail="it is not a regular file")
        if is_new:
            sync(self._path.parent)
        return self._handle

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        os.close(self._handle)
        if isinstance(error, OSError):
            raise LineageNotWritten(path=self._path, detail=error.strerror) from error


def _mark(handle: int) -> Mark:
    found = os.fstat(handle)
    return Mark(found.st_ino, found.st_size)


class HttpSink:
    """Posts each event. After a crash those of one event of the ledger may come again, with the same bytes.

    An event that the service calls malformed would hold up all others: it is put into the file `refused` instead.
    """

    portion = 1

    def __init__(self, url: str, key: str | None, refused: Path, client: HttpxClient | None = None) -> None:
        self._url = url.rstrip("/") + PATH
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        self._client = client or HttpxClient(trusted=trusted_hosts([self._url]))
        self._refused = FileSink(refused)

    def begin(self, mark: Mark) -> Mark:
        """Nothing to be done."""
        return mark

    def put(self, lines: Sequence[bytes], mark: Mark) -> Mark:
        """Post each line."""
        for line in lines:
            self._post(line)
        return mark

    def _post(self, line: bytes) -> None:
        answer = self._client.request(
            "POST", self._url, headers=self._headers, body=line, timeout=TIMEOUT_S, max_bytes=MAX_ANSWER_BYTES
        )
        if answer.status < 300:
            return
        if answer.status not in _MALFORMED:
            raise LineageNotTaken(url=self._url, detail=f"status {answer.status}")
        log.error(
            "the lineage service refuses an event: status %d", answer.status, extra=fields(event="lineage.refused")
        )
        self._refused.put([line], Mark())
