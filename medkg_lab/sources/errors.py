"""What can go wrong between the lab and where its documents come from."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import DocumentError, LabError, ServiceError


class PathNotFound(LabError):
    """There is nothing at {path}. Check the spelling, or give a document's id instead of a path."""

    exit_code = exit_codes.USAGE


class OutsideAllowedRoots(DocumentError):
    """{uri} is in none of the folders that submissions may name. Add its folder to `allowed_roots` in settings.yaml, or submit
    the file with `medkg-lab submit PATH`."""


class NotAFileAddress(DocumentError):
    """{uri} cannot be read: {detail}. Give the `file://` address of a regular file on this machine."""


class FileTooBig(DocumentError):
    """{name} has {size} bytes, more than the limit of {limit} bytes. Split the file, or submit its documents one by one."""


class ContainerRefused(DocumentError):
    """{name} is not read: {detail}. Unpack it and submit its documents."""


class RateLimited(ServiceError):
    """{host} asks for fewer requests (HTTP 429{wait}). The stage's policy waits and tries again; lower its
    `rate_limit_per_second` when this happens often."""

    failure_kind: ClassVar[str] = "rate_limited"

    @property
    def retry_after(self) -> float | None:
        """Seconds that the service asked to wait, when it said so."""
        value = self.fields.get("retry_after")
        return None if value is None else float(value)


class ServiceUnavailable(ServiceError):
    """{host} did not serve the request: {detail}. The stage's policy tries again; look whether the service is up."""

    @property
    def retry_after(self) -> float | None:
        """Seconds that the service asked to wait, when it said so."""
        value = self.fields.get("retry_after")
        return None if value is None else float(value)


class HttpTimeout(ServiceError):
    """{host} did not answer within {seconds} s. The stage's policy tries again; raise its `timeout_seconds` when the answers are
    large."""

    failure_kind: ClassVar[str] = "timeout"


class BadAnswer(ServiceError):
    """{host} answered something that is not understood: {detail}. The service may be disturbed or its format may have changed."""


class NotFound(DocumentError):
    """{host} does not know {what}. Check the id."""


class RequestRefused(DocumentError):
    """{host} refused the request for {what} (HTTP {status}): {detail}. Check the id, and the access that the source's settings
    give."""


class AnswerTooBig(DocumentError):
    """The answer of {host} for {what} has more than {limit} bytes. Submit a smaller document, or raise the limit in
    settings.yaml."""


class ForbiddenAddress(DocumentError):
    """{url} is not fetched: {detail}. Only public http and https addresses, and the hosts named in the settings, are asked."""


class NotOpenAccess(DocumentError):
    """{key} is not in the open-access part of {host}: {detail}. Submit a copy of the file that you may use."""


class NoOpenCopy(DocumentError):
    """{host} knows {key} but no open PDF of it. Submit a copy of the file that you may use."""


class NoPdfAddress(DocumentError):
    """The record of {key} names no PDF. Choose a source that gives full texts, or submit the PDF itself."""


class NotAPdf(DocumentError):
    """What {url} gave for {key} is not a PDF but {media_type}. The publisher may want a person's browser: submit the PDF
    itself."""


class BadKey(DocumentError):
    """{key!r} is not an id of the source {source}: {detail}. Correct the id."""


class UnknownSource(DocumentError):
    """There is no source called {source!r}. Use one of: {known}."""


class NoContent(DocumentError):
    """The submission {key!r} of the source `file` brings no bytes. Submit the file with `medkg-lab submit PATH`."""


class QueryNotSupported(DocumentError):
    """The source {source} gives documents by id only. Submit ids, or use a source that can be searched."""


class SourceNotConfigured(DocumentError):
    """The source {source} needs the setting {setting!r}: {detail}. Put it under `sources.{source}` in settings.yaml."""

    failure_kind: ClassVar[str] = "not_configured"
