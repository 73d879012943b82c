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
        blocks.fact(label, more.find("certainAgreement").find(key), _AGREEMENTS)
    for label, key in _CONTACT:
        blocks.fact(label, more.find("pointOfContact").find(key), _AGREEMENTS)


def read_documents(blocks: Blocks, study: Record) -> None:
    """Add the list of a study's documents and the registry's annotations."""
    module = study.find("documentSection.largeDocumentModule")
    blocks.fact("No statistical analysis plan", module.find("noSap"), _DOCUMENTS)
    for item in module.find("largeDocs").each():
        holds = ", ".join(name for key, name in _CONTENTS if item.find(key).raw is True)
        parts = (
            item.find("label").text or item.find("typeAbbrev").text,
            holds and f"holds the {holds}",
            item.find("date").text,
            item.find("filename").text,
        )
        _line(blocks, item, _DOCUMENTS, parts)
    notes = study.find("annotationSection.annotationModule")
    blocks.fact("Results unposted, as told by", notes.find("unpostedAnnotation.unpostedResponsibleParty"), _NOTES)
    for item in notes.find("unpostedAnnotation.unpostedEvents").each():
        _line(blocks, item, _NOTES, (f"Results {item.find('type').words.lower()}", item.find("date").text))
    for item in notes.find("violationAnnotation.violationEvents").each():
        said = [f"{label}: {item.find(key).words}" for label, key in _VIOLATION if item.find(key).text]
        _line(blocks, item, _NOTES, said)


def _line(blocks: Blocks, record: Record, section: Section, parts: Sequence[str]) -> None:
    if text := ", ".join(filter(None, parts)):
        blocks.heading(section, record)
        blocks.item(f"{text}.", section, record)
