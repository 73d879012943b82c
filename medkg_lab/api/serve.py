"""The server: where it listens, and what it serves."""

import contextlib
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette

from medkg_lab import linux, settings
from medkg_lab.api.access import Access, token_files
from medkg_lab.api.app import make_app
from medkg_lab.api.errors import CertificateUnusable, ServeNeedsTls, ServePortTaken
from medkg_lab.ledger.acts import AccessLog
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import locate
from medkg_lab.orchestration.issuer import authenticator
from medkg_lab.sdk.lab import Lab

MAX_CONNECTIONS = 256
NOTING_S = 5.0
"""Seconds that the ledger has, in the end, to be told of who was let in and refused."""


@dataclass(frozen=True)
class Place:
    """Where to listen; port 0 takes a free one. A certificate and its key, in PEM, make it TLS."""

    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    key: Path | None = None

    def require_safe(self) -> None:
        """Raise ServeNeedsTls where others could read what is sent."""
        if self.certificate is None and not _is_loopback(self.host):
            raise ServeNeedsTls(host=self.host)

    def require_usable(self) -> None:
        """Raise CertificateUnusable where the certificate or its key cannot be read, or do not belong together."""
        if self.certificate is None:
            return
        for path in filter(None, (self.certificate, self.key)):
            if not path.is_file():
                raise CertificateUnusable(path=path, detail="there is no such file")
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self.certificate, self.key)
        except OSError as error:
            raise CertificateUnusable(path=self.certificate, detail=error.strerror or str(error)) from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access_for(home: str | Path | None) -> Access:
    """Who may ask this lab. Raises AuthPackageMissing, KeysUnavailable and SettingsInvalid."""
    locations = locate(home)
    log = AccessLog(LedgerClient(locations.socket("ledger")))
    return Access(token_files(locations), authenticator(settings.load(locations).auth, locations), log)


def application(lab: Lab, access: Access, place: Place) -> FastAPI:
    """What is served at `place`."""
    is_public = place.certificate is not None and not _is_loopback(place.host)
    return make_app(lab, access, ["*"] if is_public else ["127.0.0.1", "localhost", "[::1]"])


def serve(app: Starlette, place: Place, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` is given the address. Raises ServeNeedsTls, CertificateUnusable and ServePortTaken."""
    place.require_safe()
    place.require_usable()
    with _listen(place) as listening:
        scheme = "https" if place.certificate is not None else "http"
        port = listening.getsockname()[1]
        host = f"[{place.host}]" if ":" in place.host else place.host
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=3,
            ssl_certfile=place.certificate,
            ssl_keyfile=place.key,
        )
        ready(f"{scheme}://{host}:{port}")
        uvicorn.Server(config).run(sockets=[listening])


@contextlib.contextmanager
def _listen(place: Place) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        linux.answer_at_once(listening)
        try:
            listening.bind((place.host, place.port))
        except OSError as error:
            detail = "another program has it" if error.errno == errno.EADDRINUSE else error.strerror
            raise ServePortTaken(host=place.host, port=place.port, detail=detail) from None
        listening.listen()
        yield listening
