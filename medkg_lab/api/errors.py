"""What the HTTP API refuses, and which status each error of the lab becomes."""

from http import HTTPStatus
from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError, LabNotRunning
from medkg_lab.guard.errors import KeysUnavailable, TokenRefused
from medkg_lab.knowledge.errors import NodeNotFound, PassageNotFound
from medkg_lab.lab.lookup import NoSuchJob, SeveralDocuments, SeveralJobs
from medkg_lab.rpc import PeerUnreachable
from medkg_lab.sources.errors import UnknownSource


class TokenMissing(LabError):
    """A token is needed: send `Authorization: Bearer TOKEN`. `medkg-lab serve` says where the tokens lie."""


class ScopeMissing(LabError):
    """The token does not allow this: it needs the scope {scope}. Ask whoever runs the lab for a token that has it."""


class ServeNeedsTls(LabError):
    """{host} can be reached from other machines, so nothing is served there without TLS. Add `--tls-certificate` and `--tls-key`,
    or serve on 127.0.0.1."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class CertificateUnusable(LabError):
    """{path} cannot be used for TLS: {detail}. `--tls-certificate` and `--tls-key` name files in PEM that belong together."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class ServePortTaken(LabError):
    """Port {port} of {host} cannot be listened at: {detail}. Choose another one with `--port`."""

    exit_code: ClassVar[int] = exit_codes.NOT_READY


_STATUS: dict[type[LabError], HTTPStatus] = {
    TokenMissing: HTTPStatus.UNAUTHORIZED,
    TokenRefused: HTTPStatus.UNAUTHORIZED,
    ScopeMissing: HTTPStatus.FORBIDDEN,
    NoSuchJob: HTTPStatus.NOT_FOUND,
    NodeNotFound: HTTPStatus.NOT_FOUND,
    PassageNotFound: HTTPStatus.NOT_FOUND,
    UnknownSource: HTTPStatus.BAD_REQUEST,
    SeveralJobs: HTTPStatus.CONFLICT,
    SeveralDocuments: HTTPStatus.CONFLICT,
    LabNotRunning: HTTPStatus.SERVICE_UNAVAILABLE,
    PeerUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    KeysUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
_BY_EXIT_CODE = {
    exit_codes.USAGE: HTTPStatus.BAD_REQUEST,
    exit_codes.GATE_REFUSED: HTTPStatus.CONFLICT,
    exit_codes.NOT_READY: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: LabError) -> HTTPStatus:
    """The status that an error is answered with: by its class, else by the exit code that a command would end with."""
    for kind, status in _STATUS.items():
        if isinstance(error, kind):
            return status
    return _BY_EXIT_CODE.get(error.exit_code, HTTPStatus.CONFLICT)
