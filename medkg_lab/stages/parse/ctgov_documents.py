"""What stands around a study's protocol and results: documents, agreements on publishing, contacts, and the registry's notes."""

from collections.abc import Sequence

from medkg_lab.stages.parse.ctgov_blocks import Blocks, Section
from medkg_lab.stages.parse.record import Record

_DOCUMENTS = ("Documents",)
_AGREEMENTS = ("Results", "Agreements")
_NOTES = ("Registry notes",)
_CONTENTS = (("hasProtocol", "protocol"), ("hasSap", "statistical analysis plan"), ("hasIcf", "informed consent form"))
_AGREEMENT = (
    ("Investigators are employed by the sponsor", "piSponsorEmployee"),
    ("Agreement restricts publication", "restrictiveAgreement"),
    ("Restriction", "restrictionType"),
    ("Other details", "otherDetails"),
)
_CONTACT = (("Results contact", "title"), ("Organisation", "organization"))
_VIOLATION = (("Type", "type"), ("Description", "description"), ("Issued", "issuedDate"), ("Released", "releaseDate"))


def read_agreements(blocks: Blocks, more: Record) -> None:
    """Add what `moreInfoModule` says of publishing the results and of whom to ask."""
    for label, key in _AGREEMENT:
        blocks.fact(label, more["certainAgreement"][key], _AGREEMENTS)
    for label, key in _CONTACT:
        blocks.fact(label, more["pointOfContact"][key], _AGREEMENTS)


def read_documents(blocks: Blocks, study: Record) -> None:
    """Add the list of a study's documents and the registry's annotations."""
    module = study["documentSection.largeDocumentModule"]
    blocks.fact("No statistical analysis plan", module["noSap"], _DOCUMENTS)
    for item in module["largeDocs"].each():
        holds = ", ".join(name for key, name in _CONTENTS if item[key].raw is True)
        parts = (
            item["label"].text or item["typeAbbrev"].text,
            holds and f"holds the {holds}",
            item["date"].text,
            item["filename"].text,
        )
        _line(blocks, item, _DOCUMENTS, parts)
    notes = study["annotationSection.annotationModule"]
    blocks.fact("Results unposted, as told by", notes["unpostedAnnotation.unpostedResponsibleParty"], _NOTES)
    for item in notes["unpostedAnnotation.unpostedEvents"].each():
        _line(blocks, item, _NOTES, (f"Results {item['type'].words.lower()}", item["date"].text))
    for item in notes["violationAnnotation.violationEvents"].each():
        said = [f"{label}: {item[key].words}" for label, key in _VIOLATION if item[key].text]
        _line(blocks, item, _NOTES, said)


def _line(blocks: Blocks, record: Record, section: Section, parts: Sequence[str]) -> None:
    if text := ", ".join(filter(None, parts)):
        blocks.heading(section, record)
        blocks.item(f"{text}.", section, record)
