"""Reading PDFs again: by the converter that read them, its server answered from the recording."""

import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.engine.errors import failure_kind
from medkg_lab.errors import DocumentError, LabError, ServiceError
from medkg_lab.models.events import Evidence
from medkg_lab.pdf import scans
from medkg_lab.pdf.converter import Bounds, Conversion, Converter, DocvortexConverter
from medkg_lab.pdf.errors import MineruUnreachable
from medkg_lab.pdf.loop import RETRY_INTERVAL_S
from medkg_lab.pdf.mineru import MineruConverter
from medkg_lab.pdf.worker import read_conversion
from medkg_lab.repro.history import describe_pdf
from medkg_lab.repro.recorded_http import RecordedHttpClient, Recording
from medkg_lab.repro.runs import Step
from medkg_lab.repro.virtual_time import VirtualClock
from medkg_lab.settings import PdfSettings
from medkg_lab.sources.http_client import HttpxClient, trusted_hosts
from medkg_lab.stages.kinds import DOCUMENT

GPU_TIER = "standard"


class NamedPdf(Protocol):
    """A payload that is a PDF."""

    @property
    def sha256(self) -> str: ...
    @property
    def name(self) -> str: ...


class PdfReader:
    """Reads PDFs for one run. The same PDF is converted once, as its conversion does not depend on the job."""

    def __init__(
        self, settings: PdfSettings, store: ArtifactStore, recording: Recording, clock: VirtualClock, with_ocr: bool
    ) -> None:
        """`with_ocr` says that scanned pages are to be read by OCR: a run again does as the lab did, whatever is installed."""
        self._settings = settings
        pages = settings.ocr_pages if with_ocr else 0
        self._bounds = Bounds(settings.timeout_seconds, settings.memory_mib, settings.max_bytes, pages)
        self._lacks_ocr = with_ocr and not scans.is_installed()
        self._store = store
        self._recording = recording
        self._clock = clock
        self._made: dict[str, Future[Conversion | LabError]] = {}
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, "pdf")

    def close(self) -> None:
        """Let go of what was converted ahead and is not wanted any more."""
        self._threads.shutdown(cancel_futures=True)

    def ahead(self, contents: Iterable[str]) -> None:
        """Begin to convert these PDFs: each takes a process of its own, and most of a run's time."""
        if self._settings.tool == "docvortex" and not self._lacks_ocr:
            for sha256 in contents:
                self._converted(sha256)

    def can_read(self, step: Step) -> bool:
        """Whether this can be done here as it was done then; otherwise the recording has the answer."""
        if self._settings.tool == "docvortex":
            return not self._lacks_ocr
        return self._recording.has(step.job, step.stage)

    def read(self, step: Step, payload: NamedPdf, live: bool) -> None:
        """Read the PDF and say in `step` what came of it."""
        step.how = "live" if live else "recorded" if self._on_gpu() else "ran"
        try:
            conversion = self._convert(step, payload, live)
            reading = read_conversion(conversion, step.doc_id, payload.name)
        except (DocumentError, ServiceError, LabError) as error:
            step.status, step.error, step.failure_kind = "failed", type(error).__name__, failure_kind(error)
            step.reason = f"{type(error).__name__}: {error}"
            return
        document, raw = self._store.stage_many([DOCUMENT.encode(reading.document), conversion.raw])
        evidence = Evidence(
            document=document,
            raw=raw,
            pages=conversion.pages,
            missing_pages=tuple(reading.missing_pages),
            tool=conversion.tool,
            tool_version=conversion.tool_version,
        )
        describe_pdf(step, evidence, not reading.missing_pages)

    def _on_gpu(self) -> bool:
        return self._settings.tool == "mineru" and self._settings.tier == GPU_TIER

    def _convert(self, step: Step, payload: NamedPdf, live: bool) -> Conversion:
        if self._settings.tool == "mineru":
            return self._by_server(step, payload, live)
        made = self._converted(payload.sha256).result()
        if isinstance(made, LabError):
            raise made
        return made

    def _converted(self, sha256: str) -> "Future[Conversion | LabError]":
        if sha256 not in self._made:
            self._made[sha256] = self._threads.submit(self._outcome, sha256)
        return self._made[sha256]

    def _outcome(self, sha256: str) -> Conversion | LabError:
        try:
            return DocvortexConverter(self._bounds).convert(self._store.get(sha256), lambda: False)
        except LabError as error:
            return error

    def _by_server(self, step: Step, payload: NamedPdf, live: bool) -> Conversion:
        data = self._store.get(payload.sha256)
        if live:
            with HttpxClient(trusted=trusted_hosts([self._settings.base_url])) as real:
                return self._mineru(real).convert(data, lambda: False)
        converter = self._mineru(RecordedHttpClient(self._recording, step.job, step.stage))
        unanswered = len(self._recording.unrecorded)
        while True:
            try:
                return converter.convert(data, lambda: False)
            except MineruUnreachable as error:
                if len(self._recording.unrecorded) > unanswered:
                    raise self._recording.unrecorded[-1] from error
                step.tries.append({"kind": failure_kind(error), "reason": str(error)})
                self._clock.sleep(RETRY_INTERVAL_S)

    def _mineru(self, http: Any) -> Converter:
        chosen = self._settings
        return MineruConverter(http, chosen.base_url.rstrip("/"), chosen.tier, self._bounds, wait=self._clock.sleep)
