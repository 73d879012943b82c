"""An OpenAI-compatible embedding endpoint on a real socket, which can be told to fail."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, str, bytes]
Respond = Callable[[dict[str, Any]], Answer]


class Endpoint:
    """What the endpoint was asked, and how it answers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.respond: Respond = embed
        self.listed: Answer = models("m")


def models(*names: str) -> Answer:
    """The list of models that the endpoint serves."""
    data = [{"id": name, "object": "model"} for name in names]
    return 200, "application/json", json.dumps({"object": "list", "data": data}).encode()


def vector(text: str, dimension: int = 4) -> list[float]:
    """A vector that tells which text it is of; not of unit length."""
    return [float(len(text)), *(float(ord(text[0])) for _ in range(dimension - 1))]


def embed(body: dict[str, Any]) -> Answer:
    """Answer as vLLM does."""
    return answer([vector(text) for text in body["input"]])


def answer(vectors: list[Any]) -> Answer:
    """A well-formed response that holds `vectors`."""
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return 200, "application/json", json.dumps({"object": "list", "data": data, "model": "m", "usage": usage}).encode()


def failure(status: int, message: str) -> Respond:
    """A response that always fails with `message`."""
    body = json.dumps({"error": {"message": message, "type": "server_error", "code": status}}).encode()
    return lambda _: (status, "application/json", body)


@contextmanager
def serving() -> Iterator[Endpoint]:
    """Serve on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint.requests.append(body)
            endpoint.keys.append(self.headers["Authorization"])
            self.send(endpoint.respond(body))

        def do_GET(self) -> None:
            self.send(endpoint.listed)

        def send(self, answer: Answer) -> None:
            status, media_type, data = answer
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
