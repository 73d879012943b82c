"""Starting the lab's own processes: forked from one process that has loaded them all, or in a Python of their own without it."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, Self

from medkg_lab import launch, linux

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 64 * 1024
START_TIMEOUT_S = 30.0
"""Seconds within which the template answers; it may be loading."""


@dataclass(frozen=True)
class Order:
    """One process to fork: the module that it runs, its arguments, and how far it stands back (nice(1))."""

    module: str
    arguments: tuple[str, ...]
    niceness: int

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read it as `to_json` wrote it."""
        values = json.loads(text)
        return cls(values["module"], tuple(values["arguments"]), values["niceness"])

    def to_json(self) -> bytes:
        """The order as JSON."""
        return json.dumps(asdict(self)).encode()


class Running(Protocol):
    """A process that was started, as asyncio knows one."""

    @property
    def pid(self) -> int:
        """Its process id; it leads the process group of this number."""
        ...

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """What it prints."""
        ...

    async def wait(self) -> int:
        """Wait for its end: its exit code, or minus the number of the signal that ended it."""
        ...


class Forked:
    """A process that the template forked; it is a child of this process."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdout = stdout

    async def wait(self) -> int:
        """See Running."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        handle = os.pidfd_open(self.pid)
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
        return _exit_code(self.pid)


class Template:
    """The process that the lab's own are forked from; it is made anew when it has ended, or when packages have changed."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._installed: tuple[int, ...] = ()
        self._lock = asyncio.Lock()

    def prepare(self) -> None:
        """Have it load what it will need."""
        installed = _installed()
        if self._process is not None and self._process.poll() is None and installed == self._installed:
            return
        self.close()
        linux.adopt_orphans()
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with its:
            self._process = subprocess.Popen(
                launch.python("medkg_lab.supervisor.template"),
                stdin=its.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=self._folder,
                env=self._environment,
                process_group=0,
            )
        self._control, self._installed = ours, installed

    async def start(self, order: Order, stderr: int) -> Forked:
        """Fork a process with this stderr. Raises OSError, TimeoutError and ValueError when there is no answer."""
        async with self._lock:
            self.prepare()
            assert self._control is not None
            loop = asyncio.get_running_loop()
            reading, writing = os.pipe2(os.O_CLOEXEC)
            try:
                socket.send_fds(self._control, [order.to_json()], [writing, stderr])
                async with asyncio.timeout(START_TIMEOUT_S):
                    pid = int(await loop.sock_recv(self._control, 32))
            except BaseException:
                os.close(reading)
                self.close()
                raise
            finally:
                os.close(writing)
        stdout = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdout), os.fdopen(reading, "rb"))
        return Forked(pid, stdout)

    def close(self) -> None:
        """End it; what it has forked goes on."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def order_of(argv: Sequence[str], niceness: int) -> Order | None:
    """The order that does what this command of the lab does; None for another program."""
    start = launch.python("")[:-1]
    if list(argv[: len(start)]) != start or not argv[len(start)].startswith("medkg_lab."):
        return None
    return Order(argv[len(start)], tuple(argv[len(start) + 1 :]), niceness)


def _exit_code(pid: int) -> int:
    """How a child ended that has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _installed() -> tuple[int, ...]:
    """When something was last put into each folder that Python looks for modules in."""
    found = []
    for folder in sys.path:
        with contextlib.suppress(OSError):
            found.append(os.stat(folder or ".").st_mtime_ns)
    return tuple(found)
