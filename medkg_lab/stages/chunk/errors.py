"""What can go wrong while a document is chunked."""

from medkg_lab.errors import DocumentError


class NothingToChunk(DocumentError):
    """{doc_id} has no text to put into passages: {detail}. Check what the parse stage made of it with `medkg-lab jobs show`."""
