"""One ClinicalTrials.gov study (API v2) as a Document.

Data structure: https://clinicaltrials.gov/data-api/about-api/study-data-structure. Any module may be missing (the API leaves out
what was not asked for), and keys that are not in the structure are passed over.
"""

from typing import Any

from medkg_lab.models.documents import BlockKind, Document
from medkg_lab.stages.parse.ctgov_blocks import Blocks
from medkg_lab.stages.parse.ctgov_codes import read_codes
from medkg_lab.stages.parse.ctgov_documents import read_documents
from medkg_lab.stages.parse.ctgov_protocol import read_protocol
from medkg_lab.stages.parse.ctgov_results import read_results
from medkg_lab.stages.parse.errors import EmptyDocument, LegacyRegistryJson, NotAStudy
from medkg_lab.stages.parse.record import Record

_KEYS_SHOWN = 8


def read_study(value: Any, doc_id: str, source: str) -> Document:
    """Read one study from its JSON value. Raises a DocumentError that says what the value is instead."""
    study = find_study(value)
    protocol = study.find("protocolSection")
    names = protocol.find("identificationModule")
    blocks = Blocks()
    title = names.find("briefTitle") if names.find("briefTitle").text else names.find("officialTitle")
    blocks.add(BlockKind.TITLE, title.text, (), title)
    read_protocol(blocks, protocol)
    read_results(blocks, study.find("resultsSection"))
    read_documents(blocks, study)
    warnings = [] if title.text else ["the study has no title"]
    if not blocks.items:
        raise EmptyDocument(what="study", detail="its protocolSection has no module with text")
    return Document(
        doc_id=doc_id,
        source=source,
        title=title.text or names.find("nctId").text or doc_id,
        identifiers=_identifiers(names),
        metadata=_metadata(study),
        blocks=tuple(blocks.items),
        codes=tuple(read_codes(study)),
        warnings=tuple(warnings),
    )


def find_study(value: Any) -> Record:
    """The one study in a JSON value; a page or an array with a single study will do. Raises NotAStudy or LegacyRegistryJson."""
    if isinstance(value, dict) and isinstance(value.get("protocolSection"), dict):
        return Record(value)
    if isinstance(value, dict) and ("FullStudiesResponse" in value or "ProtocolSection" in value):
        raise LegacyRegistryJson(nct=_legacy_id(value))
    studies = value.get("studies") if isinstance(value, dict) else value
    if isinstance(studies, list):
        if len(studies) == 1 and isinstance(studies[0], dict) and isinstance(studies[0].get("protocolSection"), dict):
            return Record(studies[0])
        if studies and all(isinstance(item, dict) and "protocolSection" in item for item in studies):
            raise NotAStudy(
                detail=f"it holds {len(studies)} studies, which `medkg-lab submit` splits before they are parsed"
            )
        raise NotAStudy(detail=f"it is a list of {len(studies)} values, not all of them studies")
    if isinstance(value, dict):
        keys = ", ".join(repr(key[:40]) for key in list(value)[:_KEYS_SHOWN]) or "none"
        raise NotAStudy(detail=f"it has no protocolSection; its keys are {keys}")
    raise NotAStudy(detail=f"its top level is a {type(value).__name__}")


def _legacy_id(value: dict[str, object]) -> str:
    response = Record(value).find("FullStudiesResponse")
    first = next(response.find("FullStudies").each(), Record(None)).find("Study")
    found = (first if first else Record(value)).find("ProtocolSection.IdentificationModule.NCTId").text
    return found[:20] or "NCT..."


def _identifiers(names: Record) -> dict[str, str]:
    found = {"nct": names.find("nctId").text, "org_study_id": names.find("orgStudyIdInfo.id").text}
    return {key: value for key, value in found.items() if value}


def _metadata(study: Record) -> dict[str, str | int | float | bool | list[str]]:
    protocol = study.find("protocolSection")
    status, design = protocol.find("statusModule"), protocol.find("designModule")
    texts = {
        "acronym": protocol.find("identificationModule.acronym").text,
        "status": status.find("overallStatus").text,
        "start_date": status.find("startDateStruct.date").text,
        "start_date_type": status.find("startDateStruct.type").text,
        "completion_date": status.find("completionDateStruct.date").text,
        "completion_date_type": status.find("completionDateStruct.type").text,
        "last_update": status.find("lastUpdatePostDateStruct.date").text,
        "study_type": design.find("studyType").text,
        "primary_purpose": design.find("designInfo.primaryPurpose").text,
        "allocation": design.find("designInfo.allocation").text,
        "sponsor": protocol.find("sponsorCollaboratorsModule.leadSponsor.name").text,
        "sex": protocol.find("eligibilityModule.sex").text,
        "data_version": study.find("derivedSection.miscInfoModule.versionHolder").text,
    }
    lists = {
        "phases": [phase.text for phase in design.find("phases").each()],
        "conditions": [item.text for item in protocol.find("conditionsModule.conditions").each()],
        "countries": sorted(
            {place.find("country").text for place in protocol.find("contactsLocationsModule.locations").each()}
        ),
        "condition_ancestors": _terms(study.find("derivedSection.conditionBrowseModule.ancestors")),
        "intervention_ancestors": _terms(study.find("derivedSection.interventionBrowseModule.ancestors")),
    }
    metadata: dict[str, str | int | float | bool | list[str]] = {key: text for key, text in texts.items() if text}
    metadata |= {key: kept for key, values in lists.items() if (kept := [value for value in values if value])}
    enrolled = design.find("enrollmentInfo.count").raw
    if isinstance(enrolled, int) and not isinstance(enrolled, bool):
        metadata["enrollment"] = enrolled
    metadata["has_results"] = bool(study.find("resultsSection"))
    return metadata


def _terms(ancestors: Record) -> list[str]:
    return [item.find("term").text for item in ancestors.each()]
