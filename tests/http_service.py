"""A real HTTP server on the loopback that answers as a test tells it, and remembers what it was asked."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as the server saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What the server answers; `truncate` sends fewer bytes than the header promises, `hang` none until the server ends."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    truncate: bool = False
    hang: bool = False


@dataclass
class HttpService:
    """`answers` maps a path to a list of answers - the last one is repeated - or to a function of the request."""

    url: str
    answers: dict[str, list[Answer] | Callable[[Asked], Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        """`host:port` of the server."""
        return urlsplit(self.url).netloc

    def answer(self, asked: Asked) -> Answer:
        """The next answer for a request; 404 for a path that no test told about."""
        self.asked.append(asked)
        found = self.answers.get(asked.path)
        if found is None:
            return Answer(b"no such path", 404)
        if callable(found):
            return found(asked)
        return found.pop(0) if len(found) > 1 else found[0]


def _handler(service: HttpService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = service.answer(Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body))
            if answer.hang:
                service.ended.wait(30)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body) + (10 if answer.truncate else 0)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.truncate

        do_GET = do_POST = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def http_service() -> Iterator[HttpService]:
    """Run the server for the time of the block."""
    service = HttpService("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield service
    finally:
        service.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
