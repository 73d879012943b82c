"""The parse stage that looks at the bytes and picks the reader."""

from medkg_lab.models.ir import Document
from medkg_lab.models.submission import Payload
from medkg_lab.stages.contracts import StageContext
from medkg_lab.stages.limits import check_size
from medkg_lab.stages.parse.ctgov import read_study
from medkg_lab.stages.parse.errors import EmptyDocument, UnknownFormat
from medkg_lab.stages.parse.jats import parse_jats
from medkg_lab.stages.parse.pdf_ir.reading import read_alone
from medkg_lab.stages.parse.pdf_ir.shapes import shape_of
from medkg_lab.stages.parse.record import parse_json
from medkg_lab.stages.parse.sniff import Format, sniff


class AutoParser:
    """Registry studies and converted PDFs (JSON) and JATS articles (XML), told apart by content."""

    def execute(self, context: StageContext, item: Payload) -> Document:
        """Parse the payload's bytes. Raises a DocumentError that names what is wrong with this file."""
        return parse(context.content(item.sha256), context.doc_id, item.source)


def parse(data: bytes, doc_id: str, source: str) -> Document:
    """Turn a file's bytes into a Document. Raises a DocumentError."""
    found = sniff(data)
    match found:
        case Format.JSON:
            value = parse_json(data)
            if not shape_of(value):
                return read_study(value, doc_id, source)
            document = read_alone(value, doc_id, source)
            check_size(document.blocks)
            return document
        case Format.XML:
            return parse_jats(data, doc_id, source)
        case Format.EMPTY:
            raise EmptyDocument(what="file", detail=f"it has {len(data)} bytes")
        case _:
            raise UnknownFormat(found=found.value)
