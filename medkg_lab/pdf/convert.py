"""`python -m medkg_lab.pdf.convert IN.pdf OUT.json`: one PDF to middle JSON by docvortex, in a process of its own.

OUT.json is `{"ok": true, "pages", "blank_pages", "tool", "tool_version", "ocr_advised", "middle", "scans"}`, or `{"ok": false,
"error", "fields"}` naming a class of `medkg_lab.pdf.errors`; the exit status is 0 or 1. With `--inspect` nothing is converted and
`middle` is null.
"""

import argparse
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pypdfium2
import pypdfium2.raw as pdfium

from medkg_lab import linux
from medkg_lab.errors import LabError
from medkg_lab.pdf.annotate import annotate
from medkg_lab.pdf.decoration import decorative_pages
from medkg_lab.pdf.errors import ConverterFailed, DamagedPdf, EncryptedPdf, PdfTooBig
from medkg_lab.pdf.identifiers import identifiers_of
from medkg_lab.pdf.middle_json import Middle
from medkg_lab.pdf.outcomes import Converted, Failed
from medkg_lab.pdf.prepare import Preparation, prepare
from medkg_lab.pdf.scans import scanned_pages
from medkg_lab.stages.parse.pdf_ir.middle import HIDDEN_TEXT


# The limits a conversion runs under: set by the converter's process for itself before it reads a byte of the PDF.
@dataclass(frozen=True)
class Limits:
    """Address space in MiB, CPU seconds (all threads of a process together), and bytes in any file written."""

    memory_mib: int
    cpu_seconds: int
    file_bytes: int = 512 * 1024 * 1024

    def apply(self) -> None:
        """Hold this process and those it starts to the limits; no core files; it ends with the process that started it."""
        linux.die_with_parent()
        memory = self.memory_mib * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (self.cpu_seconds, self.cpu_seconds + 5))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_bytes, self.file_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclass(frozen=True)
class Inspection:
    """What is known of a PDF besides its text: its number of pages, and the pages (from 1) that nobody expects text of."""

    pages: int
    blank_pages: tuple[int, ...]


def inspect(path: Path) -> Inspection:
    """Open the PDF and count its pages. Raises EncryptedPdf, DamagedPdf."""
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD or error.err_code == pdfium.FPDF_ERR_SECURITY:
            raise EncryptedPdf() from None
        raise DamagedPdf(detail=_plain(error)) from None
    try:
        pages = len(document)
        if pages == 0:
            raise DamagedPdf(detail="it has no pages")
        return Inspection(pages, tuple(number for number in range(1, pages + 1) if _is_blank(document, number - 1)))
    finally:
        document.close()


def _is_blank(document: Any, index: int) -> bool:
    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        return False
    try:
        return bool(pdfium.FPDFPage_CountObjects(page.raw) == 0)
    finally:
        page.close()


def convert(path: Path) -> Converted:
    """Convert the PDF by docvortex; images are skipped. Raises EncryptedPdf, DamagedPdf, ConverterFailed."""
    inspection = inspect(path)
    import docvortex

    with tempfile.TemporaryDirectory(prefix="medkg-prepared-") as folder:
        chosen, preparation = prepare(path, Path(folder) / "changed.pdf")
        try:
            middle, ocr_advised = _converted(chosen)
        except DamagedPdf:
            if inspection.pages < 2:
                raise
            middle, ocr_advised = _page_by_page(chosen, inspection.pages, Path(folder), preparation)
        silent = annotate(middle, chosen, preparation)
        skipped = decorative_pages(chosen, silent, inspection.pages)
    without_text = {index - 1 for index in inspection.blank_pages} | set(skipped)
    hidden = {int(number) - 1 for number in middle.extensions.get(HIDDEN_TEXT, {})}
    scans = scanned_pages(path, middle.pages, without_text, hidden)
    if own := identifiers_of(path):
        middle.describe(identifiers=[f"{scheme}:{value}" for scheme, value in sorted(own.items())])
    blank = tuple(sorted({*inspection.blank_pages, *(index + 1 for index in skipped)}))
    if skipped:
        pages = ", ".join(str(index + 1) for index in skipped)
        middle.note(f"skipped as a cover or an advertisement, for it has pictures and no text: page {pages}")
    return Converted(
        pages=inspection.pages,
        blank_pages=blank,
        tool="docvortex",
        tool_version=docvortex.__version__,
        ocr_advised=ocr_advised,
        middle=middle.to_json(),
        scans=tuple(scans),
    )


def _converted(path: Path) -> tuple[Middle, bool]:
    """The middle JSON, and whether OCR might give more. Raises DamagedPdf."""
    import docvortex
    from docvortex.errors import DocumentError
    from loguru import logger

    logger.remove()
    ocr_advised = False
    try:
        try:
            result = docvortex.parse(path, file_suffix="pdf", parse_mode="auto")
        except DocumentError as error:
            if error.code != "pdf_ocr_unsupported":
                raise
            # The text layer looks thin or doubtful to docvortex; whether it gives enough is judged page by page later.
            ocr_advised = True
            result = docvortex.parse(path, file_suffix="pdf", parse_mode="txt")
    except (DocumentError, pypdfium2.PdfiumError) as error:
        raise DamagedPdf(detail=_plain(error)) from None
    except (ValueError, LookupError, ArithmeticError, TypeError, RuntimeError) as error:
        raise DamagedPdf(detail=f"the converter gave up on it ({type(error).__name__}: {_plain(error)})") from None
    return Middle.read(result.middle_json.to_dict(exclude_block_fields={"image_base64"})), ocr_advised


def _page_by_page(path: Path, pages: int, folder: Path, preparation: Preparation) -> tuple[Middle, bool]:
    """Convert each page alone, so that one that cannot be read costs only itself. Raises DamagedPdf when none can be."""
    whole: Middle | None = None
    failed: list[int] = []
    advised = False
    reason = DamagedPdf(detail="none of its pages can be read")
    for index in range(pages):
        single = folder / "page.pdf"
        try:
            with pypdfium2.PdfDocument(path) as source, pypdfium2.PdfDocument.new() as target:
                target.import_pages(source, [index])
                target.save(single)
            middle, thin = _converted(single)
        except pypdfium2.PdfiumError:
            failed.append(index + 1)
            continue
        except DamagedPdf as error:
            failed.append(index + 1)
            reason = error
            continue
        advised = advised or thin
        for page in middle.pages:
            page.index = index
        if whole is None:
            whole = middle
        else:
            whole.pages += middle.pages
    if whole is None:
        raise reason
    # A single page made here says that it was made now; the same PDF must always give the same bytes.
    whole.raw |= {"metadata": {**whole.raw.get("metadata", {}), "document": {"page_count": pages}}}
    preparation.notes.append(
        f"pages that could not be read: {', '.join(map(str, failed))}; the others were read one by one"
    )
    return whole, advised


def _plain(error: BaseException) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__


def _outcome(path: Path, inspect_only: bool) -> Converted | Failed:
    try:
        if inspect_only:
            found = inspect(path)
            return Converted(pages=found.pages, blank_pages=found.blank_pages)
        return convert(path)
    except LabError as error:
        return Failed(error=type(error).__name__, fields=error.fields)
    except MemoryError:
        return Failed(error=PdfTooBig.__name__, fields={"detail": "it needs more memory than it may use"})
    except Exception as error:  # noqa: BLE001 - process boundary: whatever a hostile file provokes must end as an outcome
        detail = f"{type(error).__name__}: {_plain(error)}"
        return Failed(error=ConverterFailed.__name__, fields={"detail": detail})


def main() -> int:
    """Run the command line; see the module's description."""
    parser = argparse.ArgumentParser(prog="medkg_lab.pdf.convert", description="One PDF to middle JSON.")
    parser.add_argument("pdf", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--inspect", action="store_true", help="only open the PDF and count its pages")
    parser.add_argument("--memory-mib", type=int, help="address space in MiB; with it all limits apply")
    parser.add_argument("--cpu-seconds", type=int, default=600, help="CPU seconds, when limits apply")
    args = parser.parse_args()
    if args.memory_mib is not None:
        Limits(args.memory_mib, args.cpu_seconds).apply()
    outcome = _outcome(args.pdf, args.inspect)
    args.out.write_bytes(orjson.dumps(msgspec.structs.asdict(outcome), option=orjson.OPT_SORT_KEYS))
    if isinstance(outcome, Failed):
        print(f"{outcome.error}: {outcome.fields}", file=sys.stderr)
    return 0 if isinstance(outcome, Converted) else 1


if __name__ == "__main__":
    sys.exit(main())
