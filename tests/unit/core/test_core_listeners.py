"""Small answers go out at once: on every TCP port that the lab opens."""

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from medkg_lab.api import serve
from medkg_lab.broker.embedded import server
from medkg_lab.orchestration.connections import listeners


@contextlib.contextmanager
def _broker() -> Iterator[socket.socket]:
    with server._listen("127.0.0.1", 0) as listener:
        listener.setblocking(True)
        yield listener


@contextlib.contextmanager
def _pages() -> Iterator[socket.socket]:
    made = listeners(0)
    with contextlib.ExitStack() as open_ones:
        for one in made:
            open_ones.enter_context(one)
        yield made[0]


def _api() -> contextlib.AbstractContextManager[socket.socket]:
    return serve._listen(serve.Place())


@pytest.mark.parametrize("opened", [_broker, _pages, _api])
def test_a_connection_does_not_hold_small_answers_back_for_an_acknowledgement(
    opened: Callable[[], contextlib.AbstractContextManager[socket.socket]],
) -> None:
    with opened() as listener, socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
