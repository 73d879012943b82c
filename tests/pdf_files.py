"""PDFs made on the spot: what their pages hold is what a test says."""

import io
from collections.abc import Sequence

from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

PAPER = (
    ("title", "Effects of one drug on one disease"),
    ("heading", "1. Introduction"),
    ("text", "Asthma is a chronic disease of the airways that affects many people of all ages in every country. " * 4),
    ("heading", "2. Methods"),
    ("text", "We treated two groups of patients for twelve weeks and measured their lung function every month. " * 4),
    ("heading", "References"),
    ("text", "[1] A. Author, On the treatment of asthma, Journal of Examples, vol. 1, pp. 1-2, 2001."),
)
_SIZES = {"title": 18, "heading": 13, "text": 10}


def pdf(pages: Sequence[Sequence[tuple[str, str]]], **options: object) -> bytes:
    """A PDF with these pages of (kind, text) lines; kinds are title, heading, text, image, and hidden (behind an image)."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, **options)
    for page in pages:
        height = 780
        for kind, text in page:
            height -= _draw(canvas, kind, text, height)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _draw(canvas: Canvas, kind: str, text: str, height: int) -> int:
    if kind in ("image", "hidden"):
        canvas.drawImage(ImageReader(_grey()), 50, 100, 490, 600)
    if kind == "image":
        return 0
    writer = canvas.beginText(60, height)
    writer.setFont("Helvetica-Bold" if kind in ("title", "heading") else "Helvetica", _SIZES.get(kind, 10))
    writer.setTextRenderMode(3 if kind == "hidden" else 0)
    for line in _wrapped(text):
        writer.textLine(line)
    canvas.drawText(writer)
    return 40 + 13 * len(_wrapped(text))


def _wrapped(text: str) -> list[str]:
    words, lines = text.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 80:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _grey() -> io.BytesIO:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (60, 80), 128).save(buffer, "PNG")
    buffer.seek(0)
    return buffer
