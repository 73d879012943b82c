"""The protocol of a study as blocks, module by module in the order of the registry's page."""

from collections.abc import Iterable

from medkg_lab.models.documents import BlockKind
from medkg_lab.stages.parse.ctgov_blocks import Blocks, Section
from medkg_lab.stages.parse.record import Record

_STATUS = (
    ("Overall status", "overallStatus"),
    ("Last known status", "lastKnownStatus"),
    ("Why stopped", "whyStopped"),
    ("Status verified", "statusVerifiedDate"),
    ("Start date", "startDateStruct.date"),
    ("Primary completion date", "primaryCompletionDateStruct.date"),
    ("Completion date", "completionDateStruct.date"),
    ("First submitted", "studyFirstSubmitDate"),
    ("First posted", "studyFirstPostDateStruct.date"),
    ("Results first submitted", "resultsFirstSubmitDate"),
    ("Results first posted", "resultsFirstPostDateStruct.date"),
    ("Delay of results first submitted", "dispFirstSubmitDate"),
    ("Last update submitted", "lastUpdateSubmitDate"),
    ("Last update posted", "lastUpdatePostDateStruct.date"),
    ("Delayed posting", "delayedPosting"),
    ("Expanded access", "expandedAccessInfo.hasExpandedAccess"),
    ("Expanded access study", "expandedAccessInfo.nctId"),
    ("Expanded access status", "expandedAccessInfo.statusForNctId"),
)
_SPONSOR = (
    ("Lead sponsor", "leadSponsor.name"),
    ("Lead sponsor class", "leadSponsor.class"),
    ("Responsible party", "responsibleParty.type"),
    ("Responsible investigator", "responsibleParty.investigatorFullName"),
    ("Investigator title", "responsibleParty.investigatorTitle"),
    ("Investigator affiliation", "responsibleParty.investigatorAffiliation"),
    ("Responsible party name", "responsibleParty.oldNameTitle"),
    ("Responsible party organisation", "responsibleParty.oldOrganization"),
)
_OVERSIGHT = (
    ("Data monitoring committee", "oversightHasDmc"),
    ("FDA-regulated drug", "isFdaRegulatedDrug"),
    ("FDA-regulated device", "isFdaRegulatedDevice"),
    ("Unapproved device", "isUnapprovedDevice"),
    ("Paediatric postmarket surveillance", "isPpsd"),
    ("Exported from the US", "isUsExport"),
    ("FDAAA 801 violation", "fdaaa801Violation"),
)
_DESIGN = (
    ("Study type", "studyType"),
    ("Phase", "phases"),
    ("Patient registry", "patientRegistry"),
    ("Target duration", "targetDuration"),
    ("Allocation", "designInfo.allocation"),
    ("Intervention model", "designInfo.interventionModel"),
    ("Intervention model description", "designInfo.interventionModelDescription"),
    ("Primary purpose", "designInfo.primaryPurpose"),
    ("Observational model", "designInfo.observationalModel"),
    ("Time perspective", "designInfo.timePerspective"),
    ("Masking", "designInfo.maskingInfo.masking"),
    ("Masking description", "designInfo.maskingInfo.maskingDescription"),
    ("Who is masked", "designInfo.maskingInfo.whoMasked"),
    ("Biospecimen retention", "bioSpec.retention"),
    ("Biospecimen description", "bioSpec.description"),
    ("Enrollment", "enrollmentInfo.count"),
    ("Enrollment type", "enrollmentInfo.type"),
    ("Individual expanded access", "expandedAccessTypes.individual"),
    ("Intermediate-size expanded access", "expandedAccessTypes.intermediate"),
    ("Expanded access by treatment protocol", "expandedAccessTypes.treatment"),
)
_ELIGIBILITY = (
    ("Sex", "sex"),
    ("Gender based", "genderBased"),
    ("Gender description", "genderDescription"),
    ("Minimum age", "minimumAge"),
    ("Maximum age", "maximumAge"),
    ("Age groups", "stdAges"),
    ("Healthy volunteers", "healthyVolunteers"),
    ("Sampling method", "samplingMethod"),
)
_SHARING = (
    ("Plan to share individual participant data", "ipdSharing"),
    ("Information shared", "infoTypes"),
    ("Time frame", "timeFrame"),
    ("Access criteria", "accessCriteria"),
    ("Address", "url"),
)
_OUTCOMES = (
    ("primaryOutcomes", "Primary outcomes"),
    ("secondaryOutcomes", "Secondary outcomes"),
    ("otherOutcomes", "Other outcomes"),
)
LABELS = frozenset(
    label for table in (_STATUS, _SPONSOR, _OVERSIGHT, _DESIGN, _ELIGIBILITY, _SHARING) for label, _ in table
) | {
    "Conditions",
    "Keywords",
    "Official title",
    "Acronym",
    "Registry number",
    "Former registry numbers",
    "Organisation",
    "Secondary id",
    "Collaborator",
    "Interventions",
    "Other names",
    "Arms",
}
"""What the reader writes before values: its own words, in which nothing is mentioned."""


def read_protocol(blocks: Blocks, protocol: Record) -> None:
    """Add the blocks of `protocol`; the summary comes first, so that it stands with the title."""
    blocks.prose(protocol.find("descriptionModule.briefSummary"), ("Brief summary",), BlockKind.ABSTRACT)
    _identification(blocks, protocol.find("identificationModule"))
    blocks.prose(protocol.find("descriptionModule.detailedDescription"), ("Detailed description",))
    conditions = protocol.find("conditionsModule")
    blocks.fact("Conditions", conditions.find("conditions"), ("Conditions",))
    blocks.fact("Keywords", conditions.find("keywords"), ("Conditions",))
    _facts(blocks, protocol.find("designModule"), _DESIGN, ("Design",))
    _arms(blocks, protocol.find("armsInterventionsModule"))
    for key, title in _OUTCOMES:
        _outcomes(blocks, protocol.find("outcomesModule").find(key), ("Outcomes", title))
    _eligibility(blocks, protocol.find("eligibilityModule"))
    _status(blocks, protocol.find("statusModule"))
    _sponsors(blocks, protocol.find("sponsorCollaboratorsModule"))
    _facts(blocks, protocol.find("oversightModule"), _OVERSIGHT, ("Oversight",))
    _contacts(blocks, protocol.find("contactsLocationsModule"))
    _facts(blocks, protocol.find("ipdSharingStatementModule"), _SHARING, ("Data sharing",))
    blocks.prose(protocol.find("ipdSharingStatementModule.description"), ("Data sharing",))
    _references(blocks, protocol.find("referencesModule"))


def _facts(blocks: Blocks, record: Record, fields: Iterable[tuple[str, str]], section: Section) -> None:
    for label, key in fields:
        blocks.fact(label, record.find(key), section)


def _status(blocks: Blocks, module: Record) -> None:
    """The status; a date says whether it is actual or estimated."""
    for label, key in _STATUS:
        around, _, last = key.rpartition(".")
        kind = module.find(f"{around}.type").words.lower() if last == "date" else ""
        blocks.fact(label, module.find(key), ("Status",), f" ({kind})" if kind else "")


def _line(
    blocks: Blocks, record: Record, section: Section, parts: Iterable[str], kind: BlockKind = BlockKind.LIST_ITEM
) -> None:
    text = ". ".join(part.rstrip(". ") for part in parts if part)
    if text:
        blocks.heading(section, record)
        blocks.add(kind, f"{text}.", section, record)


def _labelled(label: str, text: str) -> str:
    return f"{label}: {text}" if text else ""


def _identification(blocks: Blocks, module: Record) -> None:
    section = ("Identification",)
    if module.find("officialTitle").text != module.find("briefTitle").text:
        blocks.fact("Official title", module.find("officialTitle"), section)
    blocks.fact("Acronym", module.find("acronym"), section)
    blocks.fact("Registry number", module.find("nctId"), section)
    blocks.fact("Former registry numbers", module.find("nctIdAliases"), section)
    blocks.fact("Organisation's study id", module.find("orgStudyIdInfo.id"), section)
    blocks.fact("Organisation", module.find("organization.fullName"), section)
    for item in module.find("secondaryIdInfos").each():
        parts = (item.find("id").text, item.find("type").words, item.find("domain").text)
        _line(blocks, item, section, [_labelled("Secondary id", ", ".join(filter(None, parts)))])


def _arms(blocks: Blocks, module: Record) -> None:
    for arm in module.find("armGroups").each():
        kind = f" ({arm.find('type').words})" if arm.find("type").text else ""
        parts = (
            f"{arm.find('label').text}{kind}",
            arm.find("description").text,
            _labelled("Interventions", arm.find("interventionNames").words),
        )
        _line(blocks, arm, ("Arms and interventions", "Arms"), parts)
    for item in module.find("interventions").each():
        head = ": ".join(filter(None, (item.find("type").words, item.find("name").text)))
        names = _labelled("Other names", item.find("otherNames").words)
        given = _labelled("Arms", item.find("armGroupLabels").words)
        _line(
            blocks,
            item,
            ("Arms and interventions", "Interventions"),
            (head, item.find("description").text, names, given),
        )


def _outcomes(blocks: Blocks, outcomes: Record, section: Section) -> None:
    for item in outcomes.each():
        parts = (
            item.find("measure").text,
            item.find("description").text,
            _labelled("Time frame", item.find("timeFrame").text),
        )
        _line(blocks, item, section, parts)


def _eligibility(blocks: Blocks, module: Record) -> None:
    _facts(blocks, module, _ELIGIBILITY, ("Eligibility",))
    blocks.prose(module.find("studyPopulation"), ("Eligibility", "Study population"))
    blocks.prose(module.find("eligibilityCriteria"), ("Eligibility", "Criteria"), criteria=True)


def _sponsors(blocks: Blocks, module: Record) -> None:
    section = ("Sponsors",)
    _facts(blocks, module, _SPONSOR, section)
    for item in module.find("collaborators").each():
        _line(
            blocks,
            item,
            section,
            [_labelled("Collaborator", ", ".join((item.find("name").text, item.find("class").words)))],
        )


def _contacts(blocks: Blocks, module: Record) -> None:
    for key, title in (("overallOfficials", "Officials"), ("centralContacts", "Contacts")):
        for person in module.find(key).each():
            named = (person.find("name").text, person.find("role").words, person.find("affiliation").text)
            _line(blocks, person, (title,), [", ".join(filter(None, named))])
    for place in module.find("locations").each():
        parts = [place.find(key).text for key in ("facility", "city", "state", "zip", "country")]
        people = [
            f"{who.find('name').text} ({who.find('role').words})"
            for who in place.find("contacts").each()
            if who.find("name").text
        ]
        status = place.find("status").words
        _line(
            blocks,
            place,
            ("Locations",),
            (", ".join(filter(None, parts)), status, _labelled("Contacts", "; ".join(people))),
        )


def _references(blocks: Blocks, module: Record) -> None:
    section = ("References",)
    for item in module.find("references").each():
        kind = item.find("type").words.lower()
        parts = (item.find("citation").text, _labelled("PMID", item.find("pmid").text), kind and f"({kind})")
        text = " ".join(filter(None, parts))
        blocks.heading(section, item)
        blocks.add(BlockKind.REFERENCE, text, section, item)
    for item in module.find("seeAlsoLinks").each():
        _line(blocks, item, ("Links",), [" ".join(filter(None, (item.find("label").text, item.find("url").text)))])
