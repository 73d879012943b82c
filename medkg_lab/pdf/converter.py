"""Converters: a PDF's bytes in, the converter's JSON and what is known of the PDF out."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from medkg_lab import errors
from medkg_lab.pdf import sandbox
from medkg_lab.pdf.errors import ConversionStopped, ConverterFailed, DamagedPdf, PdfTooBig, PdfTooSlow
from medkg_lab.text import one_line

MODULE = "medkg_lab.pdf.convert"
_MAX_OUTPUT_BYTES = 512 * 1024 * 1024
_INSPECTION_S = 30.0
_MEMORY_SIGNS = ("MemoryError", "memory allocation of", "bad_alloc", "Cannot allocate memory")


@dataclass(frozen=True)
class Conversion:
    """A converted PDF: `middle` is the converter's JSON, pages count from 1.

    `ocr_advised` says that the converter found the text layer doubtful.
    """

    middle: dict[str, object]
    pages: int
    blank_pages: frozenset[int]
    tool: str
    tool_version: str
    ocr_advised: bool = False

    @property
    def raw(self) -> bytes:
        """The converter's JSON as bytes; the same conversion always gives the same bytes."""
        return orjson.dumps(self.middle, option=orjson.OPT_SORT_KEYS)


class Converter(Protocol):
    """A way to convert PDFs."""

    def convert(self, pdf: bytes, stopping: Callable[[], bool]) -> Conversion:
        """Convert `pdf`; give up soon after `stopping()` becomes true.

        Raises EncryptedPdf, DamagedPdf, PdfTooBig, PdfTooSlow (the document's fault), ConverterFailed and its like (the
        converter's), or ConversionStopped.
        """
        ...


@dataclass(frozen=True)
class Bounds:
    """What one conversion may take."""

    timeout_seconds: float
    memory_mib: int
    max_bytes: int


class DocvortexConverter:
    """Converts by docvortex in a subprocess under limits."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds

    def convert(self, pdf: bytes, stopping: Callable[[], bool]) -> Conversion:
        """See Converter."""
        return run_converter(pdf, self._bounds, stopping)


def inspect(pdf: bytes, bounds: Bounds, stopping: Callable[[], bool]) -> Conversion:
    """Open the PDF in a subprocess and count its pages, without converting it. Raises what Converter.convert raises."""
    return run_converter(pdf, bounds, stopping, inspect_only=True)


def run_converter(pdf: bytes, bounds: Bounds, stopping: Callable[[], bool], inspect_only: bool = False) -> Conversion:
    """Run the converter's module on `pdf` and read its outcome. Raises what Converter.convert raises."""
    if len(pdf) > bounds.max_bytes:
        raise PdfTooBig(detail=f"it has {len(pdf)} bytes, more than {bounds.max_bytes}")
    timeout = min(bounds.timeout_seconds, _INSPECTION_S) if inspect_only else bounds.timeout_seconds
    with sandbox.private_folder() as folder:
        (folder / "in.pdf").write_bytes(pdf)
        arguments = ["in.pdf", "out.json", "--memory-mib", str(bounds.memory_mib)]
        # Twice the wall clock: two cores may work at once; the deadline below is what usually ends a slow one.
        arguments += ["--cpu-seconds", str(int(timeout * 2) + 1), *(["--inspect"] if inspect_only else [])]
        try:
            ended = sandbox.run_module(MODULE, arguments, folder, timeout, stopping)
        except sandbox.TimedOut:
            raise PdfTooSlow(seconds=timeout) from None
        except sandbox.Stopped:
            raise ConversionStopped() from None
        return _conversion(_outcome(folder / "out.json", ended, bounds, timeout))


def _outcome(path: Path, ended: sandbox.Ended, bounds: Bounds, timeout: float) -> dict[str, object]:
    if ended.status in (0, 1) and path.exists() and path.stat().st_size <= _MAX_OUTPUT_BYTES:
        try:
            outcome = orjson.loads(path.read_bytes())
        except orjson.JSONDecodeError:
            raise ConverterFailed(detail="its output is not complete") from None
        if isinstance(outcome, dict):
            return outcome
    raise death(ended, bounds, timeout)


def death(ended: sandbox.Ended, bounds: Bounds, timeout: float) -> errors.LabError:
    """What it means that a converter ended without an outcome: by a limit, or by a crash that the PDF provoked."""
    if ended.status == -signal.SIGXCPU:
        return PdfTooSlow(seconds=timeout)
    if any(sign in ended.stderr for sign in _MEMORY_SIGNS):
        return PdfTooBig(detail=f"it needs more than {bounds.memory_mib} MiB of memory")
    if ended.status < 0:
        return DamagedPdf(detail=f"the converter crashed on it ({signal.Signals(-ended.status).name})")
    return ConverterFailed(detail=one_line(ended.stderr[-300:]) or f"it ended with status {ended.status}")


def _conversion(outcome: dict[str, Any]) -> Conversion:
    if not outcome.get("ok"):
        kind = errors.by_name(str(outcome.get("error")))
        if kind is None:
            raise ConverterFailed(detail=f"it names an unknown error {outcome.get('error')!r}")
        raise kind(**outcome["fields"])
    return Conversion(
        middle=outcome["middle"] or {},
        pages=outcome["pages"],
        blank_pages=frozenset(outcome["blank_pages"]),
        tool=outcome["tool"],
        tool_version=outcome["tool_version"],
        ocr_advised=outcome["ocr_advised"],
    )
