"""`python -m medkg_lab.supervisor.log_writer FOLDER BYTES FILES`: writes what the lab's processes, labd too, print on stderr.

It is a process of its own so that nothing is lost when labd ends: whatever stands in a pipe is written, and only when nobody
can write to any of them any more does it end. Its stdin is a socket; each message on it is the name of a log with the pipe to
read, and goes back when that pipe is closed and its log is whole.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

from medkg_lab.supervisor.rotating_log import REPORT_INTERVAL_S, Bounds, RotatingLog

_LONGEST_NAME = 256
_CHUNK_BYTES = 256 * 1024


def main() -> None:
    """Write until no pipe is left and nobody can send another."""
    os.umask(0o077)
    # Signals to the process group end those who write to the log, not the log itself.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    bounds = Bounds(int(sys.argv[2]), int(sys.argv[3]))
    _serve(Path(sys.argv[1]), bounds, socket.socket(fileno=0))


def _serve(folder: Path, bounds: Bounds, control: socket.socket) -> None:
    logs: dict[int, tuple[str, RotatingLog]] = {}
    with selectors.DefaultSelector() as ready:
        ready.register(control, selectors.EVENT_READ)
        while ready.get_map():
            for key, _ in ready.select(REPORT_INTERVAL_S if logs else None):
                if key.fileobj is control:
                    _receive(folder, bounds, control, ready, logs)
                    continue
                name, log = logs[key.fd]
                if data := os.read(key.fd, _CHUNK_BYTES):
                    log.feed(data)
                    continue
                ready.unregister(key.fd)
                os.close(key.fd)
                del logs[key.fd]
                log.close()
                with contextlib.suppress(OSError):
                    control.send(name.encode())
            for _, log in logs.values():
                log.report()


def _receive(
    folder: Path,
    bounds: Bounds,
    control: socket.socket,
    ready: selectors.BaseSelector,
    logs: dict[int, tuple[str, RotatingLog]],
) -> None:
    name, handles, _, _ = socket.recv_fds(control, _LONGEST_NAME, 1)
    if not name:
        ready.unregister(control)
    for handle in handles:
        logs[handle] = (name.decode(), RotatingLog(folder / f"{name.decode()}.log", time.monotonic, bounds))
        ready.register(handle, selectors.EVENT_READ)


if __name__ == "__main__":
    main()
