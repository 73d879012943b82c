"""The coded concepts of a study: what it studies, tests, measures and compares, and who pays."""

import re
from collections.abc import Iterator
from typing import Literal

from medkg_lab.models.documents import Code
from medkg_lab.stages.parse.record import Record

_LAST_SHORT_DESCRIPTOR = 66331
"""The last descriptor of MeSH 2015; since 2016 new ones have nine digits. The registry pads the older ones to nine as well."""
_FIRST_LONG_SUPPLEMENT = 600_000
_MESH_ID = re.compile(r"^([DC])0*(\d{1,9})$")
ARM_KIND = "arm.kind"
"""The role of an arm's type, such as EXPERIMENTAL; its place is below the arm's."""
ARM_INTERVENTION = "arm.intervention"
"""The role of what is given in an arm, as the registry names it there: `Drug: Metformin`."""


def mesh_id(written: str) -> str | None:
    """A MeSH id as MeSH writes it: `D000003924` is `D003924`. None when it is not an id of a descriptor or supplement."""
    match = _MESH_ID.match(written.strip())
    if not match:
        return None
    letter, number = match[1], int(match[2])
    short = number <= _LAST_SHORT_DESCRIPTOR if letter == "D" else number < _FIRST_LONG_SUPPLEMENT
    return f"{letter}{number:06d}" if short else f"{letter}{number:09d}"


def read_codes(study: Record) -> Iterator[Code]:
    """All codes of `study` in the record's order; MeSH ancestors are skipped, for the study is not about them."""
    protocol = study.find("protocolSection")
    arms = protocol.find("armsInterventionsModule")
    outcomes = protocol.find("outcomesModule")
    sponsors = protocol.find("sponsorCollaboratorsModule")
    number = protocol.find("identificationModule.nctId")
    if number.text:
        yield Code(scheme="nct", code=number.text, term=number.text, role="study", place=number.place)
    yield from _free("sponsor", sponsors.find("leadSponsor.name"))
    yield from _free("collaborator", *(item.find("name") for item in sponsors.find("collaborators").each()))
    yield from _free("condition", *protocol.find("conditionsModule.conditions").each())
    yield from _free("keyword", *protocol.find("conditionsModule.keywords").each())
    yield from _free("arm", *(item.find("label") for item in arms.find("armGroups").each()))
    for arm in arms.find("armGroups").each():
        yield from _free(ARM_KIND, arm.find("type"))
        yield from _free(ARM_INTERVENTION, *arm.find("interventionNames").each())
    yield from _free("intervention", *(item.find("name") for item in arms.find("interventions").each()))
    for kind in ("primaryOutcomes", "secondaryOutcomes", "otherOutcomes"):
        yield from _free("outcome", *(item.find("measure") for item in outcomes.find(kind).each()))
    derived = study.find("derivedSection")
    yield from _mesh("condition", derived.find("conditionBrowseModule.meshes"))
    yield from _mesh("intervention", derived.find("interventionBrowseModule.meshes"))
    for reference in protocol.find("referencesModule.references").each():
        if pmid := reference.find("pmid").text:
            yield _code(
                "pmid", pmid, reference.find("citation").text[:300] or pmid, "reference", reference.find("pmid")
            )


def _free(role: str, *records: Record) -> Iterator[Code]:
    for record in records:
        if record.text:
            yield _code("free", None, record.text, role, record)


def _mesh(role: str, records: Record) -> Iterator[Code]:
    for record in records.each():
        if term := record.find("term").text:
            yield _code("mesh", mesh_id(record.find("id").text), term, role, record)


def _code(scheme: Literal["mesh", "pmid", "free"], code: str | None, term: str, role: str, record: Record) -> Code:
    return Code(scheme=scheme, code=code, term=term, role=role, place=record.place)
