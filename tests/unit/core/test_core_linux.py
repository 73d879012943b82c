"""What is asked of Linux: who listens on a port."""

import os
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
