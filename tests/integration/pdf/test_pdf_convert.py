"""Converting real PDFs in the subprocess, and what happens when it goes wrong."""

import io
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import orjson
import pypdfium2
import pytest
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from medkg_lab import linux
from medkg_lab.models.documents import BlockKind
from medkg_lab.pdf import sandbox, scans
from medkg_lab.pdf.converter import Bounds, DocvortexConverter, death, inspect
from medkg_lab.pdf.errors import ConversionStopped, ConverterFailed, DamagedPdf, EncryptedPdf, PdfTooBig, PdfTooSlow
from medkg_lab.pdf.sandbox import Ended
from medkg_lab.pdf.worker import read_conversion
from medkg_lab.stages.parse.pdf_ir.middle import PdfSource, Reading, read_middle
from tests.pdf_files import PAPER, pdf
from tests.waiting import wait_until

needs_ocr = pytest.mark.skipif(
    find_spec("rapidocr") is None, reason="the extra `ocr` is not installed: pip install 'medkg-lab[ocr]'"
)
"""It is no part of the test environment: with it the lab reads the bundled scan, whose gate no person would have to open."""
BOUNDS = Bounds(timeout_seconds=60, memory_mib=4096, max_bytes=10_000_000)


def never() -> bool:
    return False


def read(data: bytes) -> Reading:
    made = DocvortexConverter(BOUNDS).convert(data, never)
    return read_middle(
        made.middle, PdfSource("file:a", "a.pdf", made.pages, made.blank_pages, made.tool, made.tool_version)
    )


def test_paper():
    reading = read(pdf([PAPER]))
    document = reading.document
    assert document.title == "Effects of one drug on one disease"
    assert document.blocks[0].kind is BlockKind.TITLE
    methods = next(block for block in document.blocks if "We treated two groups" in block.text)
    assert methods.place.page == 1
    assert methods.place.bbox is not None
    assert document.metadata["pages"] == 1
    assert reading.missing_pages == ()


def test_pages_of_other_kinds():
    reading = read(pdf([PAPER, [("image", "")], [], [("hidden", "Invisible words behind a scanned page.")]]))
    assert reading.missing_pages == (2,)
    assert reading.document.blocks[-1].text == "Invisible words behind a scanned page."
    assert reading.document.blocks[-1].place.page == 4


def without_page(data: bytes, number: int) -> bytes:
    """The PDF with one page's object emptied, at the same length, so that the page cannot be loaded."""
    kids = re.search(rb"/Kids \[ (.*?) \]", data)
    assert kids is not None
    name = re.findall(rb"(\d+) 0 R", kids[1])[number - 1]
    start = data.index(b"\n" + name + b" 0 obj") + len(name) + 7
    end = data.index(b"endobj", start)
    return data[:start] + b"\n(gone)".ljust(end - start - 1) + b"\n" + data[end:]


def test_a_page_that_cannot_be_loaded_costs_only_itself():
    data = without_page(pdf([PAPER, [("text", "A second page. " * 9)], [("text", "A third page of it. " * 9)]]), 2)
    reading = read(data)
    assert reading.missing_pages == (2,)
    assert any("A third page" in block.text and block.place.page == 3 for block in reading.document.blocks)
    assert any("could not be read: 2" in warning for warning in reading.document.warnings)


def test_same_pdf_gives_the_same_bytes():
    converter = DocvortexConverter(BOUNDS)
    first, second = (converter.convert(pdf([PAPER]), never).raw for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", DamagedPdf),
        (b"%PDF-1.7\n%%EOF", DamagedPdf),
        (pdf([PAPER])[:600], DamagedPdf),
        (pdf([PAPER], encrypt="secret"), EncryptedPdf),
        (b"x" * 10_000_001, PdfTooBig),
    ],
    ids=["empty", "bare", "truncated", "encrypted", "big"],
)
def test_unreadable(data, error):
    with pytest.raises(error):
        DocvortexConverter(BOUNDS).convert(data, never)


def test_inspection_does_not_convert():
    found = inspect(pdf([PAPER, []]), BOUNDS, never)
    assert (found.pages, found.blank_pages, found.middle) == (2, frozenset({2}), {})


def test_too_slow():
    with pytest.raises(PdfTooSlow):
        DocvortexConverter(Bounds(0.05, 4096, 10_000_000)).convert(pdf([PAPER]), never)


def test_stopped():
    with pytest.raises(ConversionStopped):
        DocvortexConverter(BOUNDS).convert(pdf([PAPER]), lambda: True)


def test_too_little_memory():
    # So little that the interpreter itself may crash before it can say why.
    with pytest.raises((PdfTooBig, ConverterFailed, DamagedPdf)):
        DocvortexConverter(Bounds(60, 100, 10_000_000)).convert(pdf([PAPER]), never)


@pytest.mark.parametrize(
    ("ended", "kind"),
    [
        (Ended(-signal.SIGXCPU, ""), PdfTooSlow),
        (Ended(-signal.SIGABRT, "memory allocation of 99 bytes failed"), PdfTooBig),
        (Ended(1, "Traceback ...\nMemoryError"), PdfTooBig),
        (Ended(-signal.SIGSEGV, ""), DamagedPdf),
        (Ended(3, "no such module"), ConverterFailed),
    ],
)
def test_meaning_of_deaths(ended, kind):
    assert type(death(ended, BOUNDS, 1.0)) is kind


def test_alone_on_the_command_line(tmp_path):
    (tmp_path / "in.pdf").write_bytes(pdf([PAPER]))
    command = [sys.executable, "-m", "medkg_lab.pdf.convert", str(tmp_path / "in.pdf"), str(tmp_path / "out.json")]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    assert orjson.loads((tmp_path / "out.json").read_bytes())["pages"] == 1
    (tmp_path / "in.pdf").write_bytes(b"no")
    failed = subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stderr.startswith("DamagedPdf")


FAMILY = """
import os, subprocess, sys, time
from pathlib import Path
from medkg_lab.pdf.convert import Limits
Limits(4096, 60).apply()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}")
time.sleep(300)
"""

PARENT = """
import sys
from pathlib import Path
from medkg_lab.pdf import sandbox
sandbox.run_module("family", [sys.argv[1]], Path(sys.argv[2]), 300)
"""


@pytest.fixture
def family(tmp_path, monkeypatch):
    """A module whose process starts another one and writes both ids down."""
    (tmp_path / "family.py").write_text(FAMILY)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    return tmp_path / "pids"


def pids(file: Path) -> list[int]:
    text = wait_until(lambda: file.exists() and file.read_text(), 20, "the family's process ids")
    return [int(pid) for pid in str(text).split()]


def test_deadline_reaches_the_children(family, tmp_path):
    with pytest.raises(sandbox.Stopped):
        sandbox.run_module("family", [str(family)], tmp_path, 60, lambda: family.exists() and " " in family.read_text())
    for pid in pids(family):
        wait_until(lambda pid=pid: linux.start_time(pid) is None, 10, f"the end of process {pid}")


def test_converter_dies_with_its_parent(family, tmp_path):
    command = [sys.executable, "-c", PARENT, str(family), str(tmp_path)]
    with subprocess.Popen(command) as parent:
        converter, worker = pids(family)
        parent.kill()
    wait_until(lambda: linux.start_time(converter) is None, 10, "the end of the converter")
    os.kill(worker, signal.SIGKILL)


def test_limits_hold(tmp_path, monkeypatch):
    hungry = "from medkg_lab.pdf.convert import Limits\nLimits(300, 60, 1000).apply()\n"
    (tmp_path / "hungry.py").write_text(hungry + "bytearray(400 << 20)\n")
    (tmp_path / "writer.py").write_text(hungry + "import pathlib; pathlib.Path('out').write_bytes(bytes(2000))\n")
    (tmp_path / "busy.py").write_text(
        "from medkg_lab.pdf.convert import Limits\nLimits(300, 1).apply()\nwhile True: pass\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "MemoryError" in sandbox.run_module("hungry", [], tmp_path, 30).stderr
    assert "File too large" in sandbox.run_module("writer", [], tmp_path, 30).stderr
    assert sandbox.run_module("busy", [], tmp_path, 60).status == -signal.SIGXCPU


def scanned(*pages: int, text: bytes) -> bytes:
    """The PDF with images in place of these pages (from 0), as a scanner makes them."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    with pypdfium2.PdfDocument(text) as document:
        for index in pages:
            width, height = document[index].get_size()
            canvas.setPageSize((width, height))
            canvas.drawImage(ImageReader(document[index].render(scale=2).to_pil().convert("L")), 0, 0, width, height)
            canvas.drawString(20, 12, "Downloaded by someone")
            canvas.showPage()
    canvas.save()
    return buffer.getvalue()


SCAN = scanned(0, text=pdf([[("title", "Colchicine in gout"), ("text", "We gave 128 patients 0.5 mg a day.")]]))


@needs_ocr
def test_a_scanned_page_is_read_by_ocr_and_says_so():
    made = DocvortexConverter(replace(BOUNDS, ocr_pages=3)).convert(SCAN, never)
    assert made.tool_version.endswith(f"+{scans.reader_version()}")
    document = read_conversion(made, "file:a", "a.pdf").document
    assert any("We gave 128 patients 0.5 mg a day." in block.text for block in document.blocks)
    assert document.metadata["ocr_pages"] == ["1"]
    assert any("page 1 was read by OCR" in warning for warning in document.warnings)
    assert not any("OCR may give more" in warning for warning in document.warnings)


def test_without_ocr_a_scanned_page_says_what_would_read_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, scans.PACKAGE, None)
    buffer = io.BytesIO()
    with pypdfium2.PdfDocument(pdf([PAPER])) as both, pypdfium2.PdfDocument(SCAN) as scan:
        both.import_pages(scan)
        both.save(buffer)
    made = DocvortexConverter(replace(BOUNDS, ocr_pages=3)).convert(buffer.getvalue(), never)
    reading = read_conversion(made, "file:a", "a.pdf")
    assert reading.missing_pages == (2,)
    told = [one for one in reading.document.warnings if "pip install 'medkg-lab[ocr]'" in one]
    assert len(told) == 1
    assert "page 2" in told[0]
    assert "ocr_pages" not in reading.document.metadata
    assert "rapidocr" not in made.tool_version


@needs_ocr
def test_ocr_that_cannot_do_its_part_is_the_outcome_of_a_pdf_without_other_text():
    with pytest.raises(PdfTooBig, match="memory"):
        DocvortexConverter(replace(BOUNDS, memory_mib=700, ocr_pages=3)).convert(SCAN, never)
