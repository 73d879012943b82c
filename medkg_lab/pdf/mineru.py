"""Conversion by a MinerU 4 server (`mineru-api --allow-local-source`) on this machine.

`POST /v1/parse/jobs` with a local file gives 202 and a job; `GET /v1/parse/jobs/{id}` is polled until its status is completed,
partial, failed or canceled; `GET /v1/files/{id}/content` gives the middle JSON, whose schema is docvortex's.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from medkg_lab.errors import LabError
from medkg_lab.pdf import sandbox
from medkg_lab.pdf.converter import Bounds, Conversion, inspect
from medkg_lab.pdf.errors import ConversionStopped, MineruFailed, MineruUnreachable, PdfTooSlow
from medkg_lab.stages.contracts import HttpAnswer, HttpClient
from medkg_lab.text import one_line

_CALL_TIMEOUT_S = 30.0
_SMALL_BYTES = 4 * 1024 * 1024
_MAX_OUTPUT_BYTES = 512 * 1024 * 1024
_ENDED = frozenset({"completed", "partial", "failed", "canceled"})


@dataclass(frozen=True)
class MineruConverter:
    """Converts by the MinerU server at `base_url` with its `tier`; `wait` sleeps between two polls."""

    http: HttpClient
    base_url: str
    tier: str
    bounds: Bounds
    wait: Callable[[float], None] = time.sleep
    poll_seconds: float = 0.5

    def convert(self, pdf: bytes, stopping: Callable[[], bool]) -> Conversion:
        """See Converter; also raises MineruUnreachable and MineruFailed."""
        known = inspect(pdf, self.bounds, stopping)
        version = self._version()
        with sandbox.private_folder() as folder:
            path = folder / "in.pdf"
            path.write_bytes(pdf)
            middle = self._parse(path, stopping)
        return Conversion(middle, known.pages, known.blank_pages, f"mineru-{self.tier}", version)

    def _version(self) -> str:
        try:
            health = self._object(
                self.http.request("GET", f"{self.base_url}/v1/health", timeout=_CALL_TIMEOUT_S, max_bytes=_SMALL_BYTES)
            )
        except LabError as error:
            raise MineruUnreachable(base_url=self.base_url, detail=str(error)) from None
        return str(health.get("version", "unknown"))

    def _parse(self, path: Path, stopping: Callable[[], bool]) -> dict[str, object]:
        until = time.monotonic() + self.bounds.timeout_seconds
        request = {
            "files": [{"source": {"type": "local", "path": str(path)}}],
            "tier": self.tier,
            "output_formats": ["middle_json"],
        }
        # The path is another in every run; what is asked for is the same.
        request_key = orjson.dumps(request | {"files": hashlib.sha256(path.read_bytes()).hexdigest()})
        job = self._call("POST", "/v1/parse/jobs", orjson.dumps(request), keyed=request_key)
        job_id = str(job.get("job_id", ""))
        while job.get("status") not in _ENDED:
            if stopping() or time.monotonic() > until:
                with contextlib.suppress(LabError):
                    self._call("DELETE", f"/v1/parse/jobs/{job_id}")
                raise ConversionStopped() if stopping() else PdfTooSlow(seconds=self.bounds.timeout_seconds)
            self.wait(self.poll_seconds)
            job = self._call("GET", f"/v1/parse/jobs/{job_id}")
        return self._call("GET", f"/v1/files/{self._output(job)}/content", max_bytes=_MAX_OUTPUT_BYTES)

    def _output(self, job: dict[str, object]) -> str:
        """The id of the middle JSON in a job that ended. Raises MineruFailed when it gave none."""
        files = job.get("files")
        file = files[0] if isinstance(files, list) and files and isinstance(files[0], dict) else {}
        outputs = file.get("output_files") or {}
        reference = outputs.get("middle_json") if isinstance(outputs, dict) else None
        if file.get("status") != "completed" or not isinstance(reference, dict) or not reference.get("file_id"):
            error = file.get("error")
            detail = error.get("message") if isinstance(error, dict) else None
            raise self._failed(detail or f"the job ended as {job.get('status')} without middle_json")
        return str(reference["file_id"])

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        max_bytes: int = _SMALL_BYTES,
        keyed: bytes | None = None,
    ) -> dict[str, object]:
        headers = {"content-type": "application/json"} if body else None
        try:
            answer = self.http.request(
                method,
                self.base_url + path,
                headers=headers,
                body=body,
                timeout=_CALL_TIMEOUT_S,
                max_bytes=max_bytes,
                keyed=keyed,
            )
        except LabError as error:
            raise self._failed(str(error)) from None
        return self._object(answer)

    def _object(self, answer: HttpAnswer) -> dict[str, object]:
        try:
            value = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            value = None
        if answer.status >= 300 or not isinstance(value, dict):
            message = value.get("error", {}).get("message") if isinstance(value, dict) else None
            raise self._failed(f"HTTP {answer.status}: {message or 'no JSON object'}")
        return value

    def _failed(self, detail: object) -> MineruFailed:
        return MineruFailed(base_url=self.base_url, detail=one_line(str(detail), 300))
