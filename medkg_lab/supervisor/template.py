"""`python -m medkg_lab.supervisor.template`: the process from which the lab's processes are forked, all modules loaded.

Each of them would otherwise load the same libraries for itself, which is most of what starting costs, and keep its own copy of
them in memory. Its stdin is a socket: each message on it is a command with the pipes that become its stdout and stderr, and is
answered with the new process's pid. That process is a child of the supervisor, not of this one, which may end at any time.

It must stay a process without threads of its own making and without anything open that a child could take for its own.
"""

import gc
import importlib
import os
import runpy
import signal
import socket
import sys
from dataclasses import dataclass

import setproctitle

from medkg_lab import launch, linux
from medkg_lab.supervisor.forking import MAX_MESSAGE_BYTES, Order

LOADED = ("ledger", "broker.embedded", "bridge", "knowledge", "engine", "pdf", "orchestration")
"""Packages whose processes are started with a lab, in the order in which they are wanted."""


@dataclass(frozen=True)
class _Born:
    """What the forked process goes on with."""

    order: Order
    stdout: int
    stderr: int


def main() -> None:
    """Load, fork what is asked for, and in a forked process be it."""
    linux.die_with_parent()
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    born = _serve(control)
    if born is not None:
        control.close()
        _become(born)


def _serve(control: socket.socket) -> _Born | None:
    """Fork until the supervisor closes its end, None then; in a forked process what it is to be."""
    waiting = list(LOADED)
    parent = os.getppid()
    while True:
        try:
            message, handles, _, _ = socket.recv_fds(
                control, MAX_MESSAGE_BYTES, 2, socket.MSG_DONTWAIT if waiting else 0
            )
        except BlockingIOError:
            importlib.import_module(f"medkg_lab.{waiting.pop(0)}.__main__")
            if not waiting:
                # What is loaded stays as it is, so that collections in the children leave its pages shared.
                gc.collect()
                gc.freeze()
            continue
        except ConnectionResetError:
            return None  # closed while an answer was on its way
        if not message:
            return None
        order = Order.from_json(message)
        while any(f"medkg_lab.{name}" == order.module for name in waiting):
            importlib.import_module(f"medkg_lab.{waiting.pop(0)}.__main__")
        born = _fork(control, order, handles[0], handles[1], parent)
        if born is not None:
            return born
        for handle in handles:
            os.close(handle)


def _fork(control: socket.socket, order: Order, stdout: int, stderr: int, parent: int) -> _Born | None:
    """Fork a process whose parent is the supervisor, for the one in between ends; None in this process."""
    told, tell = os.pipe()
    wait, start = os.pipe()
    between = os.fork()
    if between:
        os.close(tell)
        os.close(wait)
        pid = os.read(told, 32)
        os.close(told)
        os.waitpid(between, 0)
        control.send(pid)
        os.close(start)  # now the supervisor is its parent
        return None
    os.close(start)
    child = os.fork()
    if child:
        os.setpgid(child, child)
        os.write(tell, str(child).encode())
        os._exit(0)
    for handle in (told, tell):
        os.close(handle)
    os.read(wait, 1)
    os.close(wait)
    linux.die_with_parent()
    if os.getppid() != parent:
        os._exit(0)
    return _Born(order, stdout, stderr)


def _become(born: _Born) -> None:
    for stream, handle in enumerate((born.stdout, born.stderr), 1):
        os.dup2(handle, stream)
        os.close(handle)
    os.nice(born.order.niceness)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = launch.python(born.order.module, *born.order.arguments)
    setproctitle.setproctitle(" ".join(command))
    setproctitle.setthreadtitle(os.path.basename(command[0]))
    sys.orig_argv = command
    sys.argv = [born.order.module, *born.order.arguments]
    runpy.run_module(born.order.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
