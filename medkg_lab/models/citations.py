"""Which publications a parsed document cites: the identifiers in its bibliography and in the references of a registry record."""

from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.models.identifiers import Identifier, in_reference, parse

KEY = "cites"
"""The key of a published document's metadata that lists them, each as `scheme:value`."""
_ROLE = "reference"


def cited(document: Document) -> tuple[Identifier, ...]:
    """What `document` cites by DOI, PMC id or PubMed id, each identifier once, without its own.

    One reference may give several identifiers. A reference without any is not found.
    """
    texts = (block.text for block in document.blocks if block.kind is BlockKind.REFERENCE)
    found = [one for text in texts for one in in_reference(text)]
    coded = (parse(f"{code.scheme}:{code.code}") for code in document.codes if code.role == _ROLE and code.code)
    found += (one for one in coded if one is not None)
    own = {parse(f"{scheme}:{value}") for scheme, value in document.identifiers.items()}
    return tuple(one for one in dict.fromkeys(found) if one not in own)
