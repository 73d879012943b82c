"""The protocol of a study as blocks, module by module in the order of the registry's page."""

from collections.abc import Iterable

from medkg_lab.models.ir import BlockKind
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
    blocks.prose(protocol["descriptionModule.briefSummary"], ("Brief summary",), BlockKind.ABSTRACT)
    _identification(blocks, protocol["identificationModule"])
    blocks.prose(protocol["descriptionModule.detailedDescription"], ("Detailed description",))
    conditions = protocol["conditionsModule"]
    blocks.fact("Conditions", conditions["conditions"], ("Conditions",))
    blocks.fact("Keywords", conditions["keywords"], ("Conditions",))
    _facts(blocks, protocol["designModule"], _DESIGN, ("Design",))
    _arms(blocks, protocol["armsInterventionsModule"])
    for key, title in _OUTCOMES:
        _outcomes(blocks, protocol["outcomesModule"][key], ("Outcomes", title))
    _eligibility(blocks, protocol["eligibilityModule"])
    _status(blocks, protocol["statusModule"])
    _sponsors(blocks, protocol["sponsorCollaboratorsModule"])
    _facts(blocks, protocol["oversightModule"], _OVERSIGHT, ("Oversight",))
    _contacts(blocks, protocol["contactsLocationsModule"])
    _facts(blocks, protocol["ipdSharingStatementModule"], _SHARING, ("Data sharing",))
    blocks.prose(protocol["ipdSharingStatementModule.description"], ("Data sharing",))
    _references(blocks, protocol["referencesModule"])


def _facts(blocks: Blocks, record: Record, fields: Iterable[tuple[str, str]], section: Section) -> None:
    for label, key in fields:
        blocks.fact(label, record[key], section)


def _status(blocks: Blocks, module: Record) -> None:
    """The status; a date says whether it is actual or estimated."""
    for label, key in _STATUS:
        around, _, last = key.rpartition(".")
        kind = module[f"{around}.type"].words.lower() if last == "date" else ""
        blocks.fact(label, module[key], ("Status",), f" ({kind})" if kind else "")


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
    if module["officialTitle"].text != module["briefTitle"].text:
        blocks.fact("Official title", module["officialTitle"], section)
    blocks.fact("Acronym", module["acronym"], section)
    blocks.fact("Registry number", module["nctId"], section)
    blocks.fact("Former registry numbers", module["nctIdAliases"], section)
    blocks.fact("Organisation's study id", module["orgStudyIdInfo.id"], section)
    blocks.fact("Organisation", module["organization.fullName"], section)
    for item in module["secondaryIdInfos"].each():
        parts = (item["id"].text, item["type"].words, item["domain"].text)
        _line(blocks, item, section, [_labelled("Secondary id", ", ".join(filter(None, parts)))])


def _arms(blocks: Blocks, module: Record) -> None:
    for arm in module["armGroups"].each():
        kind = f" ({arm['type'].words})" if arm["type"].text else ""
        parts = (
            f"{arm['label'].text}{kind}",
            arm["description"].text,
            _labelled("Interventions", arm["interventionNames"].words),
        )
        _line(blocks, arm, ("Arms and interventions", "Arms"), parts)
    for item in module["interventions"].each():
        head = ": ".join(filter(None, (item["type"].words, item["name"].text)))
        names = _labelled("Other names", item["otherNames"].words)
        given = _labelled("Arms", item["armGroupLabels"].words)
        _line(blocks, item, ("Arms and interventions", "Interventions"), (head, item["description"].text, names, given))


def _outcomes(blocks: Blocks, outcomes: Record, section: Section) -> None:
    for item in outcomes.each():
        parts = (item["measure"].text, item["description"].text, _labelled("Time frame", item["timeFrame"].text))
        _line(blocks, item, section, parts)


def _eligibility(blocks: Blocks, module: Record) -> None:
    _facts(blocks, module, _ELIGIBILITY, ("Eligibility",))
    blocks.prose(module["studyPopulation"], ("Eligibility", "Study population"))
    blocks.prose(module["eligibilityCriteria"], ("Eligibility", "Criteria"), criteria=True)


def _sponsors(blocks: Blocks, module: Record) -> None:
    section = ("Sponsors",)
    _facts(blocks, module, _SPONSOR, section)
    for item in module["collaborators"].each():
        _line(blocks, item, section, [_labelled("Collaborator", ", ".join((item["name"].text, item["class"].words)))])


def _contacts(blocks: Blocks, module: Record) -> None:
    for key, title in (("overallOfficials", "Officials"), ("centralContacts", "Contacts")):
        for person in module[key].each():
            named = (person["name"].text, person["role"].words, person["affiliation"].text)
            _line(blocks, person, (title,), [", ".join(filter(None, named))])
    for place in module["locations"].each():
        parts = [place[key].text for key in ("facility", "city", "state", "zip", "country")]
        people = [f"{who['name'].text} ({who['role'].words})" for who in place["contacts"].each() if who["name"].text]
        status = place["status"].words
        _line(
            blocks,
            place,
            ("Locations",),
            (", ".join(filter(None, parts)), status, _labelled("Contacts", "; ".join(people))),
        )


def _references(blocks: Blocks, module: Record) -> None:
    section = ("References",)
    for item in module["references"].each():
        kind = item["type"].words.lower()
        parts = (item["citation"].text, _labelled("PMID", item["pmid"].text), kind and f"({kind})")
        text = " ".join(filter(None, parts))
        blocks.heading(section, item)
        blocks.add(BlockKind.REFERENCE, text, section, item)
    for item in module["seeAlsoLinks"].each():
        _line(blocks, item, ("Links",), [" ".join(filter(None, (item["label"].text, item["url"].text)))])
