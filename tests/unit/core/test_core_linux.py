"""What is asked of Linux: who listens on a port, who is connected to it, how many files may be open."""

import os
import resource
import socket

import pytest

from medkg_lab import linux


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


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_user_of_a_connection_is_found(family: socket.AddressFamily) -> None:
    """Also of a client that reaches an IPv4 listener through a socket of IPv6."""
    with socket.socket() as listener, socket.socket(family) as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        client.connect(("127.0.0.1" if family == socket.AF_INET else "::ffff:127.0.0.1", port))
        connection, address = listener.accept()
        assert linux.connection_uid(address, port) == os.getuid()
        client.close()
        assert linux.connection_uid(address, port) is None, "a socket that is gone has no user"
        connection.close()


def test_the_limit_of_open_files_is_raised_as_far_as_allowed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert linux.raise_open_files(512) == 512
        assert linux.raise_open_files(300) == 512, "it is never lowered"
        assert linux.raise_open_files(1 << 40) == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
