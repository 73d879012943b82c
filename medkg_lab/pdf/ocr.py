"""`python -m medkg_lab.pdf.ocr IN.pdf OUT.json --pages 0,2`: the text of scanned pages, by RapidOCR in a process of its own.

RapidOCR is the extra `ocr`; its models come in its wheel, nothing is fetched (https://rapidai.github.io/RapidOCRDocs).
OUT.json is `{"ok": true, "pages": {"0": {"blocks", "note"}}}`: each page that gave text, its blocks as the converter gives
those of others.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec
import numpy as np
import pypdfium2

from medkg_lab.pdf.convert import Limits
from medkg_lab.pdf.ocr_layout import Line, blocks_of
from medkg_lab.pdf.outcomes import Recognised
from medkg_lab.pdf.scans import ReadPage
from medkg_lab.stages.parse.pdf_ir.text import readable

_THREADS = 1
"""More spin while they wait for each other, and take the cores away from the lab's other processes."""
_POINTS_PER_INCH = 72
_DOTS_PER_INCH = 200
_LONGEST_SIDE = 2600
"""Pixels; a larger page is drawn smaller."""
_DOUBTFUL = 0.85


class _Reader:
    """RapidOCR with the models of its wheel, on one processor core."""

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        threads = {f"EngineConfig.onnxruntime.{name}_op_num_threads": _THREADS for name in ("intra", "inter")}
        self._engine: Any = RapidOCR(params={"Global.log_level": "error", **threads})

    def lines(self, document: pypdfium2.PdfDocument, index: int) -> list[Line]:
        """The lines of a page in the order that they were found."""
        page = document[index]
        scale = min(_DOTS_PER_INCH / _POINTS_PER_INCH, _LONGEST_SIDE / max(page.get_size()))
        pixels = page.render(scale=scale, rev_byteorder=True).to_numpy()[:, :, :3]
        page.close()
        height, width = pixels.shape[:2]
        found = self._engine(np.ascontiguousarray(pixels))
        if found.boxes is None:
            return []
        lines = []
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True):
            xs, ys = (corners[:, 0] / width).round(4), (corners[:, 1] / height).round(4)
            box = (float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
            if text.strip():
                lines.append(Line(text.strip(), box, float(score)))
        return lines


def read_pages(path: Path, pages: Sequence[int]) -> dict[str, ReadPage]:
    """The blocks of each of the pages (from 0) that has readable text, and a note of how sure they are."""
    reader = _Reader()
    found: dict[str, ReadPage] = {}
    with pypdfium2.PdfDocument(path) as document:
        for index in pages:
            try:
                lines = reader.lines(document, index)
            except pypdfium2.PdfiumError:
                continue
            if readable(" ".join(line.text for line in lines)):
                blocks = list(blocks_of(lines, is_first=index == 0))
                found[str(index)] = ReadPage(blocks, _note(index, lines))
    return found


def _note(index: int, lines: Sequence[Line]) -> str:
    doubtful = sum(line.score < _DOUBTFUL for line in lines)
    told = f", {doubtful} of its {len(lines)} lines doubtful" if doubtful else ""
    return (
        f"page {index + 1} was read by OCR ({mean(line.score for line in lines):.0%} sure{told}): numbers may be wrong, "
        "raised and lowered signs stand on the line"
    )


def main() -> int:
    """Run the command line; see the module's description."""
    parser = argparse.ArgumentParser(prog="medkg_lab.pdf.ocr", description="The text of a PDF's scanned pages.")
    parser.add_argument("pdf", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pages", required=True, help="numbers from 0, with commas between")
    parser.add_argument("--memory-mib", type=int, required=True, help="address space in MiB")
    parser.add_argument("--cpu-seconds", type=int, required=True, help="CPU seconds")
    args = parser.parse_args()
    Limits(args.memory_mib, args.cpu_seconds).apply()
    pages = [int(number) for number in args.pages.split(",")]
    args.out.write_bytes(msgspec.json.encode(Recognised(pages=read_pages(args.pdf, pages))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
