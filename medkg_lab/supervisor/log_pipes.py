"""The pipes to the log writer: one for each process, and the writer itself, restarted if it exits."""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
import subprocess
from dataclasses import astuple

from medkg_lab import launch, linux
from medkg_lab.locations import Locations
from medkg_lab.supervisor.rotating_log import Bounds

log = logging.getLogger(__name__)

_PIPE_BYTES = 1024 * 1024
"""What processes can write while the writer is held up."""
_END_S = 3.0
_FLUSH_S = 2.0
"""Seconds to wait for the last lines of a process that ended."""


class LogPipes:
    """Gives each process a pipe for its stderr."""

    def __init__(self, locations: Locations, bounds: Bounds) -> None:
        self._folder = locations.state / "logs"
        self._bounds = bounds
        self._control: socket.socket | None = None
        self._writer: subprocess.Popen[bytes] | None = None
        self._readers: dict[str, int] = {}
        self._flushed: dict[str, asyncio.Event] = {}

    def open(self, name: str) -> int:
        """The writing end of a new pipe whose content becomes the log `name`; the caller closes it."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # more than a user may have: the usual size does as well
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._forget(name)
        # Before the pipe is known: a writer that starts is sent all that are, and one that has a pipe twice waits for itself.
        self.check()
        self._readers[name] = reader
        self._flushed[name] = asyncio.Event()
        self._send(name, reader)
        return writer

    def check(self) -> None:
        """Start the writer, or another one when it has ended; that one reads on where it was. One that was stopped goes on."""
        if self._writer is not None and self._writer.poll() is None:
            if linux.process_state(self._writer.pid) == "T":
                self._writer.send_signal(signal.SIGCONT)  # else every process would wait for it sooner or later
            return
        if self._writer is not None:
            log.warning("the log writer ended with %s and is started again", self._writer.returncode)
        self._disconnect()
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._control = ours
        with its, (self._folder / "labd.log").open("ab") as stderr:
            self._writer = subprocess.Popen(
                launch.python("medkg_lab.supervisor.log_writer", str(self._folder), *map(str, astuple(self._bounds))),
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=self._folder,
                env=launch.environment(),
                start_new_session=True,
            )
        with contextlib.suppress(RuntimeError):  # outside of a loop nobody waits for a log
            asyncio.get_running_loop().add_reader(ours, self._on_flushed, ours)
        for name, reader in self._readers.items():
            self._send(name, reader)

    async def flushed(self, name: str) -> None:
        """Wait until all that a process which ended has written stands in its log, for a short while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await self._flushed[name].wait()
        self._forget(name)

    def close(self) -> None:
        """Let the writer end, and wait for that: what is written to a pipe after this is not waited for."""
        self._disconnect()
        for name in list(self._readers):
            self._forget(name)
        if self._writer is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._writer.wait(_END_S)

    def _send(self, name: str, reader: int) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):  # a writer that has just ended: the next check starts another
                socket.send_fds(self._control, [name.encode()], [reader])

    def _on_flushed(self, control: socket.socket) -> None:
        try:
            name = control.recv(256).decode()
        except OSError:
            name = ""
        if name in self._flushed:
            self._flushed[name].set()
        elif not name:
            asyncio.get_running_loop().remove_reader(control)

    def _forget(self, name: str) -> None:
        if name in self._readers:
            os.close(self._readers.pop(name))

    def _disconnect(self) -> None:
        if self._control is None:
            return
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        self._control = None
