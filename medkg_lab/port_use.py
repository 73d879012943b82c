"""Whether a TCP port of the loopback address is free, and who has it otherwise."""

import errno
import os
import socket

from medkg_lab import exit_codes, linux
from medkg_lab.errors import LabError
from medkg_lab.folders import user_name

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def problem_with(port: int) -> str:
    """Why nothing of the lab can listen on `port` of the loopback addresses; empty when it can."""
    for family, address in LOOPBACK:
        try:
            with socket.socket(family) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                tried.bind((address, port))
                tried.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return in_use(port)
            if family == socket.AF_INET:
                return str(error.strerror)
            # A machine without IPv6: then nothing of the lab listens there either.
    return ""


def in_use(port: int) -> str:
    """Who uses `port`, as far as this user may know."""
    holder = linux.port_holder(port)
    if holder is None:
        return "it is in use"
    if holder.pid is not None:
        return f"process {holder.pid} ({holder.program}) listens on it"
    return f"a process of user {user_name(holder.uid)} listens on it" if holder.uid != os.getuid() else "it is in use"


class PortTakenByOther(LabError):
    """Port {port}, where {what} of this lab should listen, belongs to a program of another user (uid {uid}), so nothing is sent
    there. Run `medkg-lab down` and `medkg-lab up` for another port, or have that program ended: `ss -ltnp 'sport = :{port}'`."""

    exit_code = exit_codes.NOT_READY


def require_own(port: int, what: str) -> None:
    """See that nobody else listens on `port` of the loopback address; that nothing does is fine. Raises PortTakenByOther."""
    uid = linux.listener_uid(port)
    if uid not in (None, os.getuid()):
        raise PortTakenByOther(port=port, what=what, uid=uid)
