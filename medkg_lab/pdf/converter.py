"""Converters: a PDF's bytes in, the converter's JSON and what is known of the PDF out."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import orjson

from medkg_lab import errors
from medkg_lab.pdf import outcomes, sandbox, scans
from medkg_lab.pdf.errors import ConversionStopped, ConverterFailed, DamagedPdf, PdfTooBig, PdfTooSlow
from medkg_lab.pdf.outcomes import Converted, Recognised
from medkg_lab.pdf.scans import ReadPage
from medkg_lab.text import one_line

T = TypeVar("T")

MODULE = "medkg_lab.pdf.convert"
OCR_MODULE = "medkg_lab.pdf.ocr"
_MAX_OUTPUT_BYTES = 512 * 1024 * 1024
_INSPECTION_S = 30.0
_MEMORY_SIGNS = ("MemoryError", "memory allocation of", "bad_alloc", "Cannot allocate memory")


@dataclass(frozen=True)
class Conversion:
    """A converted PDF: `middle` is the converter's JSON, pages count from 1.

    `ocr_advised` says that the converter found the text layer doubtful; `scans` are pages (from 0) that are images of text.
    """

    middle: dict[str, object]
    pages: int
    blank_pages: frozenset[int]
    tool: str
    tool_version: str
    ocr_advised: bool = False
    scans: tuple[int, ...] = ()

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
    """What one conversion may take; `ocr_pages` are the most scanned pages that OCR reads, where it is installed."""

    timeout_seconds: float
    memory_mib: int
    max_bytes: int
    ocr_pages: int = 0


class DocvortexConverter:
    """Converts by docvortex in a subprocess under limits; another one reads scanned pages by OCR."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds

    def convert(self, pdf: bytes, stopping: Callable[[], bool]) -> Conversion:
        """See Converter."""
        made = run_converter(pdf, self._bounds, stopping)
        return _with_scans(pdf, made, self._bounds, stopping) if made.scans and self._bounds.ocr_pages else made


def inspect(pdf: bytes, bounds: Bounds, stopping: Callable[[], bool]) -> Conversion:
    """Open the PDF in a subprocess and count its pages, without converting it. Raises what Converter.convert raises."""
    return run_converter(pdf, bounds, stopping, inspect_only=True)


def _with_scans(pdf: bytes, made: Conversion, bounds: Bounds, stopping: Callable[[], bool]) -> Conversion:
    """The conversion with the text of its scanned pages, or with a note why they have none.

    Raises ConversionStopped, and where no page has other text what OCR ended with.
    """
    pages = f"images of text: page {scans.named(made.scans)}"
    if not scans.is_installed():
        return replace(
            made, middle=scans.with_note(made.middle, f"{pages}; `{scans.INSTALL}` lets the lab read them by OCR")
        )
    chosen = made.scans[: bounds.ocr_pages]
    try:
        found = _recognise(pdf, chosen, bounds, stopping)
    except errors.LabError as error:
        # Where there is no other text, what went wrong is the outcome.
        if isinstance(error, ConversionStopped) or len(made.scans) + len(made.blank_pages) >= made.pages:
            raise
        return replace(made, middle=scans.with_note(made.middle, f"{pages}; OCR gave up: {one_line(str(error))}"))
    middle = scans.with_pages(made.middle, found)
    if len(chosen) < len(made.scans):
        rest = scans.named(made.scans[len(chosen) :])
        middle = scans.with_note(
            middle, f"images of text that were left, for `pdf.ocr_pages` is {bounds.ocr_pages}: page {rest}"
        )
    return replace(
        made,
        middle=middle,
        tool_version=f"{made.tool_version}+{scans.reader_version()}",
        ocr_advised=made.ocr_advised and len(found) < len(made.scans),
    )


def _recognise(
    pdf: bytes, pages: Sequence[int], bounds: Bounds, stopping: Callable[[], bool]
) -> Mapping[str, ReadPage]:
    """What OCR reads on the pages, by their numbers. Raises ConversionStopped, PdfTooSlow and what a dead converter means."""
    timeout = max(bounds.timeout_seconds, scans.PAGE_TIMEOUT_S * len(pages))
    limits = ["--memory-mib", str(bounds.memory_mib), "--cpu-seconds", str(int(timeout * 2) + 1)]
    arguments = ["--pages", ",".join(map(str, pages)), *limits]
    return _read(_run(OCR_MODULE, pdf, arguments, bounds, timeout, stopping), Recognised).pages


def run_converter(pdf: bytes, bounds: Bounds, stopping: Callable[[], bool], inspect_only: bool = False) -> Conversion:
    """Run the converter's module on `pdf` and read its outcome. Raises what Converter.convert raises."""
    if len(pdf) > bounds.max_bytes:
        raise PdfTooBig(detail=f"it has {len(pdf)} bytes, more than {bounds.max_bytes}")
    timeout = min(bounds.timeout_seconds, _INSPECTION_S) if inspect_only else bounds.timeout_seconds
    # Twice the wall clock: two cores may work at once; the deadline is what usually ends a slow one.
    arguments = ["--memory-mib", str(bounds.memory_mib), "--cpu-seconds", str(int(timeout * 2) + 1)]
    arguments += ["--inspect"] if inspect_only else []
    made = _read(_run(MODULE, pdf, arguments, bounds, timeout, stopping), Converted)
    return Conversion(
        middle=made.middle or {},
        pages=made.pages,
        blank_pages=frozenset(made.blank_pages),
        tool=made.tool,
        tool_version=made.tool_version,
        ocr_advised=made.ocr_advised,
        scans=made.scans,
    )


def _run(
    module: str, pdf: bytes, arguments: list[str], bounds: Bounds, timeout: float, stopping: Callable[[], bool]
) -> bytes:
    """The outcome of a module that reads `in.pdf` and writes `out.json`, in a process of its own."""
    with sandbox.private_folder() as folder:
        (folder / "in.pdf").write_bytes(pdf)
        try:
            ended = sandbox.run_module(module, ["in.pdf", "out.json", *arguments], folder, timeout, stopping)
        except sandbox.TimedOut:
            raise PdfTooSlow(seconds=timeout) from None
        except sandbox.Stopped:
            raise ConversionStopped() from None
        return _outcome(folder / "out.json", ended, bounds, timeout)


def _outcome(path: Path, ended: sandbox.Ended, bounds: Bounds, timeout: float) -> bytes:
    if ended.status in (0, 1) and path.exists() and path.stat().st_size <= _MAX_OUTPUT_BYTES:
        return path.read_bytes()
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


def _read(written: bytes, kind: type[T]) -> T:
    """What a module wrote, or the error that it names. Raises ConverterFailed for what is neither."""
    try:
        if msgspec.json.decode(written, type=outcomes.Ended).ok:
            return msgspec.json.decode(written, type=kind)
        failed = msgspec.json.decode(written, type=outcomes.Failed)
    except msgspec.DecodeError:
        raise ConverterFailed(detail="its output is not complete") from None
    if (error := errors.by_name(failed.error)) is None:
        raise ConverterFailed(detail=f"it names an unknown error {failed.error!r}")
    raise error(**failed.fields)
