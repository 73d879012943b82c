"""What is asked of Linux: who listens on a port, who is connected to it, how many files may be open."""

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from medkg_lab import linux, port_use

OTHER = 65534


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (socket.AF_INET, "")]
)
def test_a_listener_is_found_with_its_user(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        port = listener.getsockname()[1]
        assert linux.listener_uid(port) is None
        listener.listen()
        assert linux.listener_uid(port) == os.getuid()


def test_a_connection_is_no_listener() -> None:
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname())
        assert linux.listener_uid(client.getsockname()[1]) is None


@pytest.fixture(params=["as the kernel answers", "without sock_diag"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel, and one that answers no question about sockets."""

    def refuse(*_: object) -> int | None:
        raise OSError(errno.EPROTONOSUPPORT, "no sock_diag")

    if request.param == "without sock_diag":
        monkeypatch.setattr(linux, "_diagnosed_uid", refuse)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize(
    ("at", "by"),
    [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "::ffff:127.0.0.1"), ("::1", "::1"), ("127.0.0.2", "127.0.0.2")],
)
def test_the_user_of_a_connection_is_found(at: str, by: str) -> None:
    """Also of a client that reaches an IPv4 listener through a socket of IPv6."""
    with socket.socket(_family(at)) as listener, socket.socket(_family(by)) as client:
        listener.bind((at, 0))
        listener.listen()
        server = listener.getsockname()
        client.connect((by, server[1]))
        connection, address = listener.accept()
        assert linux.connection_uid(address, server) == os.getuid()
        client.close()
        assert linux.connection_uid(address, server) is None, "a socket that is gone has no user"
        connection.close()


@pytest.mark.usefixtures("kernel")
def test_a_connection_from_the_same_port_of_another_address_lends_nobody_its_user() -> None:
    """One that is half closed must not pass for the whole one of somebody else."""
    with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
        four.bind(("127.0.0.1", 0))
        six.bind(("::1", four.getsockname()[1]))
        four.listen()
        six.listen()
        with socket.socket() as ours, socket.socket(socket.AF_INET6) as theirs:
            ours.connect(four.getsockname())
            theirs.bind(("::1", ours.getsockname()[1]))
            theirs.connect(six.getsockname()[:2])
            accepted, client = six.accept()
            theirs.shutdown(socket.SHUT_WR)
            assert accepted.recv(1) == b""
            assert linux.connection_uid(client, six.getsockname()) is None
            accepted.close()


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def test_the_limit_of_open_files_is_raised_as_far_as_allowed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert linux.raise_open_files(512) == 512
        assert linux.raise_open_files(300) == 512, "it is never lowered"
        assert linux.raise_open_files(1 << 40) == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(os.getuid() != 0, reason="it needs root, for a second user")
def test_another_users_connection_is_told_from_ours() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        child = os.fork()
        if child == 0:
            os.setuid(OTHER)
            with socket.socket() as connection:
                connection.connect(listener.getsockname())
                connection.recv(1)
            os._exit(0)
        accepted, client = listener.accept()
        found = linux.connection_uid(client, listener.getsockname())
        accepted.close()
        os.waitpid(child, 0)
    assert found == OTHER


@pytest.mark.skipif(os.getuid() != 0, reason="it needs root, for a second user")
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::")])
def test_another_users_less_exact_listener_does_not_take_our_port(family: socket.AddressFamily, address: str) -> None:
    with socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        ours.listen()
        port = ours.getsockname()[1]
        with another_users_listener(family, address, port):
            assert linux.listener_uid(port) == os.getuid()


@pytest.mark.skipif(os.getuid() != 0, reason="it needs root, for a second user")
@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET6, "::"),
        (socket.AF_INET6, "::ffff:0.0.0.0"),
        (socket.AF_INET6, "::ffff:127.0.0.1"),
    ],
)
def test_nothing_is_sent_to_another_users_listener(family: socket.AddressFamily, address: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    port_use.require_own(port, "the broker")
    with (
        another_users_listener(family, address, port),
        pytest.raises(port_use.PortTakenByOther, match=f"uid {OTHER}"),
    ):
        port_use.require_own(port, "the broker")


@contextmanager
def another_users_listener(family: socket.AddressFamily, address: str, port: int) -> Iterator[None]:
    """Something of another user's that listens on `port`."""
    ready, end = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(OTHER)
        with socket.socket(family) as listener:
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int("." not in address))
            listener.bind((address, port))
            listener.listen()
            os.write(ready[1], b"r")
            os.close(end[1])
            os.read(end[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    try:
        yield
    finally:
        os.close(end[1])
        os.waitpid(child, 0)
        for number in (*ready, end[0]):
            os.close(number)
