"""What the lab asks of Linux beyond the standard library: the only module that does."""

import contextlib
import ctypes
import errno
import os
import resource
import signal
import socket
import stat
import struct
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LISTEN = "0A"
_LOOPBACK = "0100007F"
_ESTABLISHED = "01"
_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x02, 0x04, 0x08
_UNREACHED = 4
_LOOPBACK_V6 = "00000000000000000000000001000000"
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST = 4, 20, 1
_NLMSG_HEAD = 16
_ALL_STATES = 0xFFFFFFFF
_WILDCARDS = (8 * "0", 32 * "0", "0000000000000000FFFF000000000000")
"""0.0.0.0, ::, and ::ffff:0.0.0.0, which a socket of IPv6 has for all addresses of IPv4."""
_MAPPED = bytes(10) + b"\xff\xff"
_ANY_SOCKET = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
"""No interface and no cookie (INET_DIAG_NOCOOKIE): the end of an inet_diag_sockid."""
_UID_AT = _NLMSG_HEAD + 4 + 48 + 12
"""Where `idiag_uid` stands in an answer: behind four bytes, the socket's id, and three numbers."""
_libc = ctypes.CDLL(None, use_errno=True)
_PUNCH_HOLE = 0x02 | 0x01
"""FALLOC_FL_PUNCH_HOLE with FALLOC_FL_KEEP_SIZE, without which it is refused."""
_ZEROS = 1024 * 1024


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send `number` to this process when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG)."""
    if _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def adopt_orphans(adopts: bool = True) -> None:
    """Have descendants of this process whose parent ends become its own children (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, int(adopts), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def yield_to_others(niceness: int = 15) -> None:
    """Let the calling thread have the processor when the others of the lab do not need it (setpriority(2), of one thread).

    It is for readers of the log, which may lag: what they cost must not slow down what they report on.
    """
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def boot_id() -> str:
    """An id that changes at every boot (random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When process `pid` started, in clock ticks since boot (proc(5), stat field 22); None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def process_state(pid: int) -> str:
    """How process `pid` stands (proc(5), stat field 3), such as S for sleeping or T for stopped; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def cpu_seconds(pid: int) -> float:
    """Processor time that `pid` has used (proc(5), stat fields 14 and 15); 0 when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def same_process(pid: int, started: int, boot: str) -> bool:
    """Whether `pid` still is the process that had this start time in this boot."""
    return boot == boot_id() and start_time(pid) == started


@dataclass(frozen=True)
class FileLock:
    """Who has a file locked as a whole, and who waits for it, by pid; `holder` is None while nobody has it."""

    holder: int | None = None
    waiting: tuple[int, ...] = ()


def file_lock(path: Path, among: Collection[int]) -> FileLock:
    """The flock(2) of `path` as far as it concerns the processes `among` (proc(5), /proc/locks).

    A file is known there by its number alone on file systems that lie over another, so others' pids are skipped.
    """
    try:
        inode, lines = path.stat().st_ino, Path("/proc/locks").read_text().splitlines()
    except OSError:
        return FileLock()
    return lock_from(lines, inode, among)


def lock_from(lines: Iterable[str], inode: int, among: Collection[int]) -> FileLock:
    """Read the lines of /proc/locks, such as `1: FLOCK ADVISORY WRITE 3120 08:01:12345 0 EOF`; `->` is before who waits."""
    holder, waiting = None, []
    for line in lines:
        words = line.split()
        is_waiting = "->" in words
        kind, _, _, pid, place = (words[2:] if is_waiting else words[1:])[:5]
        if kind != "FLOCK" or int(pid) not in among or place.rpartition(":")[2] != str(inode):
            continue
        if is_waiting:
            waiting.append(int(pid))
        else:
            holder = int(pid)
    return FileLock(holder, tuple(waiting))


def listener_uid(port: int) -> int | None:
    """The user whose socket gets what connects to TCP `port` of 127.0.0.1; None when nothing listens there.

    The kernel prefers the listener with the most exact address, so one of another user's on `::` or 127.0.0.2 changes
    nothing while 127.0.0.1 itself is taken. Of several that are alike, one that is not ours counts. Source: proc(5),
    /proc/net/tcp and tcp6, where state 0A is LISTEN, addresses are hexadecimal and the eighth field is the uid.
    """
    found = [(_rank(row[1], port), int(row[7])) for row in _listening(port)]
    best = {uid for rank, uid in found if rank == min(found)[0]}
    return next((uid for uid in best if uid != os.getuid()), os.getuid() if best else None)


def _listening(port: int) -> list[list[str]]:
    """The listeners on `port` that somebody on this machine reaches by a loopback address, the most exact first."""
    rows = [row for name in ("tcp", "tcp6") for row in _rows(Path("/proc/net") / name) if row[3] == _LISTEN]
    reached = [row for row in rows if _rank(row[1], port) < _UNREACHED]
    return sorted(reached, key=lambda row: _rank(row[1], port))


def _rows(table: Path) -> list[list[str]]:
    try:
        return [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []


def _rank(local: str, port: int) -> int:
    """How exactly a listener at `local` has `port` of 127.0.0.1: 0 has it itself, `_UNREACHED` has nothing of loopback."""
    address, _, number = local.rpartition(":")
    if int(number, 16) != port:
        return _UNREACHED
    if address[-8:] == _LOOPBACK:
        return 0
    if address in _WILDCARDS:
        return 1 if len(address) == len(_LOOPBACK) else 2
    return 3 if address.endswith("7F") or address == _LOOPBACK_V6 else _UNREACHED


def connection_uid(client: Sequence[Any], server: Sequence[Any]) -> int | None:
    """The user whose end of a loopback connection is at `client`, seen from its other end at `server`; None when unknown.

    Both begin with address and port. A socket that was closed no longer has its user. Sources: sock_diag(7), and where the
    kernel does not answer that, proc(5), /proc/net/tcp and tcp6, where state 01 is ESTABLISHED.
    """
    ends = (str(client[0]), int(client[1])), (str(server[0]), int(server[1]))
    try:
        return _diagnosed_uid(*ends)
    except (OSError, struct.error):
        pass  # no such connection, or a kernel that answers no such question
    ours, theirs = (_in_tables(*end) for end in ends)
    rows = (row for name in ("tcp", "tcp6") for row in _rows(Path("/proc/net") / name))
    found = {int(row[7]) for row in rows if row[3] == _ESTABLISHED and row[1] in ours and row[2] in theirs}
    return found.pop() if len(found) == 1 else None


def _in_tables(address: str, port: int) -> set[str]:
    """How an end of a connection is written in /proc/net: numbers of four bytes in the machine's order, in hexadecimal.

    One of IPv4 is in tcp6, as a mapped address, when its socket is of IPv6.
    """
    try:
        packed = [socket.inet_aton(address)]
        packed.append(_MAPPED + packed[0])
    except OSError:
        packed = [socket.inet_pton(socket.AF_INET6, address)]
    return {"".join(f"{word:08X}" for (word,) in struct.iter_unpack("=I", one)) + f":{port:04X}" for one in packed}


def _diagnosed_uid(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    """The kernel's answer about one connection, which takes as long however many there are. Raises OSError."""
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    ends = (socket.inet_pton(family, address) for address, _ in (client, server))
    ask = struct.pack(">HH16s16s", client[1], server[1], *ends)
    body = struct.pack("=BBBxI", family, socket.IPPROTO_TCP, 0, _ALL_STATES) + ask + _ANY_SOCKET
    head = struct.pack("=IHHII", _NLMSG_HEAD + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1)
        kernel.send(head + body)
        answer = kernel.recv(8192)
    if struct.unpack_from("=4xH", answer)[0] != _SOCK_DIAG_BY_FAMILY:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    state, uid = answer[_NLMSG_HEAD + 1], struct.unpack_from("=I", answer, _UID_AT)[0]
    return int(uid) if state == int(_ESTABLISHED, 16) else None


def answer_at_once(listener: socket.socket) -> None:
    """Have every connection that the TCP socket `listener` accepts send small answers without waiting for an acknowledgement.

    An accepted socket inherits it. asyncio sets it only where a socket names its protocol, which one made by hand does not;
    without it Nagle's algorithm and the other side's delayed acknowledgement hold an answer back for 40 ms.
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def make_hole(handle: int, offset: int, length: int) -> None:
    """Let a part of a file read as zeros, and give its blocks back to the disk where the file system can (fallocate(2))."""
    if not length:
        return
    if _libc.fallocate(handle, _PUNCH_HOLE, ctypes.c_long(offset), ctypes.c_long(length)) == 0:
        return
    if (number := ctypes.get_errno()) not in (errno.EOPNOTSUPP, errno.ENOSYS):
        raise OSError(number, os.strerror(number))
    for start in range(offset, offset + length, _ZEROS):
        os.pwrite(handle, bytes(min(_ZEROS, offset + length - start)), start)


def raise_open_files(wanted: int = 8192) -> int:
    """Let this process have `wanted` files open, as far as its hard limit goes; the limit that it has then (getrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


class _OpenHow(ctypes.Structure):
    """openat2(2), struct open_how."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(folder: int, path: str) -> int:
    """Open the file at the relative `path` below the folder open as `folder`, for reading.

    No part of the path may be a symbolic link or lead upwards, also when someone renames folders meanwhile. A FIFO without a
    writer does not make it wait. Raises OSError: ELOOP or ENOTDIR for a link, EXDEV for a path that leads out.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return _openat2(folder, path, flags)
    except OSError as error:
        # ENOSYS before Linux 5.6; containers answer EPERM to calls that their filter does not know.
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise
    return _walk(folder, path, flags)


def _openat2(folder: int, path: str, flags: int) -> int:
    resolve = _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS
    how = _OpenHow(flags=flags, mode=0, resolve=resolve)
    handle = _libc.syscall(_OPENAT2, folder, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    if handle < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(handle)


def _walk(folder: int, path: str, flags: int) -> int:
    """What openat2(2) does, folder by folder, for kernels without it."""
    *folders, name = path.split("/")
    if any(part in ("", "..") for part in (*folders, name)):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    with contextlib.ExitStack() as stack:
        for part in folders:
            try:
                folder = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            except NotADirectoryError:
                if stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
                raise
            stack.callback(os.close, folder)
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)


def kill_group(pid: int, number: int) -> None:
    """Send a signal to the process group that `pid` leads; a group that is gone is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def bury_group(pid: int) -> bool:
    """Take the exit status of children in the process group that `pid` led; whether none is left to be waited for."""
    try:
        while os.waitpid(-pid, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


@dataclass(frozen=True)
class PortHolder:
    """Who listens on a port: `pid` and `program` are known only of processes that this user may look into."""

    uid: int
    pid: int | None = None
    program: str = ""


def port_holder(port: int) -> PortHolder | None:
    """Who listens on TCP `port` of a loopback or wildcard address; None when nobody does (proc(5), /proc/PID/fd)."""
    rows = _listening(port)
    if not rows:
        return None
    sockets = {f"socket:[{row[9]}]" for row in rows}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and sockets & set(open_files(int(entry.name))):
            return PortHolder(int(rows[0][7]), int(entry.name), _program(entry))
    return PortHolder(int(rows[0][7]))


def open_files(pid: int) -> list[str]:
    """What process `pid` has open, as far as this user may know (proc(5), /proc/PID/fd)."""
    found = []
    with contextlib.suppress(OSError):
        for one in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):  # closed by now, such as the one that listed the folder
                found.append(os.readlink(f"/proc/{pid}/fd/{one}"))
    return found


def _program(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return ""
