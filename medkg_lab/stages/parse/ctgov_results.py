"""The results of a study as blocks: participant flow, baseline, outcome measures and adverse events, with values as tables."""

from medkg_lab.models.documents import BlockKind
from medkg_lab.stages.parse.ctgov_blocks import Blocks, Section
from medkg_lab.stages.parse.ctgov_documents import read_agreements
from medkg_lab.stages.parse.record import Record

_TOP = "Results"
_FLOW = (_TOP, "Participant flow")
_BASELINE = (_TOP, "Baseline characteristics")
_OUTCOMES = (_TOP, "Outcome measures")
_EVENTS = (_TOP, "Adverse events")
_LIMITS = (_TOP, "Limitations and caveats")
_KINDS_OF_EVENTS = {"seriousEvents": "Serious adverse events", "otherEvents": "Other adverse events"}
_UNITS_OF_PEOPLE = "Participants"
_ANALYSIS = (
    ("Comparison", "groupDescription"),
    ("Type", "nonInferiorityType"),
    ("Non-inferiority", "nonInferiorityComment"),
    ("Method", "statisticalMethod"),
    ("Method comment", "statisticalComment"),
    ("p-value", "pValue"),
    ("p-value comment", "pValueComment"),
    ("Estimate", "paramType"),
    ("Value", "paramValue"),
    ("Dispersion", "dispersionType"),
    ("Dispersion value", "dispersionValue"),
    ("Confidence interval (%)", "ciPctValue"),
    ("Sides", "ciNumSides"),
    ("Lower limit", "ciLowerLimit"),
    ("Upper limit", "ciUpperLimit"),
    ("Comment", "estimateComment"),
)

Row = tuple[str, ...]


def read_results(blocks: Blocks, results: Record) -> None:
    """Add the blocks of `results`; nothing when the study has none."""
    described: set[tuple[str, str]] = set()
    _flow(blocks, results.find("participantFlowModule"), described)
    _baseline(blocks, results.find("baselineCharacteristicsModule"), described)
    for measure in results.find("outcomeMeasuresModule.outcomeMeasures").each():
        _outcome(blocks, measure, described)
    _adverse_events(blocks, results.find("adverseEventsModule"), described)
    blocks.prose(results.find("moreInfoModule.limitationsAndCaveats.description"), _LIMITS)
    read_agreements(blocks, results.find("moreInfoModule"))


def _flow(blocks: Blocks, module: Record, described: set[tuple[str, str]]) -> None:
    blocks.fact("Recruitment", module.find("recruitmentDetails"), _FLOW)
    blocks.fact("Before assignment", module.find("preAssignmentDetails"), _FLOW)
    groups = _groups(blocks, module.find("groups"), _FLOW, described)
    for period in module.find("periods").each():
        rows = [("Milestone", *groups.values())]
        rows += [_counts(item, groups, "achievements", "numSubjects", "") for item in period.find("milestones").each()]
        rows += [
            _counts(item, groups, "reasons", "numSubjects", "Not completed: ")
            for item in period.find("dropWithdraws").each()
        ]
        _titled_table(blocks, period.find("title"), rows, _FLOW, period)


def _counts(item: Record, groups: dict[str, str], key: str, value: str, prefix: str) -> Row:
    label = f"{prefix}{item.find('type').words}" + (
        f" ({item.find('comment').text})" if item.find("comment").text else ""
    )
    return (label, *_by_group(item.find(key), groups, value))


def _baseline(blocks: Blocks, module: Record, described: set[tuple[str, str]]) -> None:
    blocks.fact("Population", module.find("populationDescription"), _BASELINE)
    groups = _groups(blocks, module.find("groups"), _BASELINE, described)
    denominators = _denominators(module.find("denoms"), groups)
    for measure in module.find("measures").each():
        blocks.prose(measure.find("description"), _BASELINE)
        blocks.prose(measure.find("populationDescription"), _BASELINE)
        rows = [("", *groups.values()), *denominators, *_measurements(measure, groups, denominators)]
        _titled_table(blocks, measure.find("title"), rows, _BASELINE, measure, _how_measured(measure))


def _outcome(blocks: Blocks, measure: Record, described: set[tuple[str, str]]) -> None:
    section = (*_OUTCOMES, measure.find("title").text or "Outcome measure")
    blocks.heading(section, measure)
    blocks.fact("Type", measure.find("type"), section)
    blocks.prose(measure.find("description"), section)
    blocks.fact("Time frame", measure.find("timeFrame"), section)
    blocks.fact("Analysed population", measure.find("populationDescription"), section)
    blocks.fact("Units analysed", measure.find("typeUnitsAnalyzed"), section)
    if measure.find("reportingStatus").text not in ("", "POSTED"):
        blocks.fact("Reporting", measure.find("reportingStatus"), section)
        blocks.fact("Results expected", measure.find("anticipatedPostingDate"), section)
    groups = _groups(blocks, measure.find("groups"), section, described)
    denominators = _denominators(measure.find("denoms"), groups)
    rows = [("", *groups.values()), *denominators, *_measurements(measure, groups, denominators)]
    _titled_table(blocks, measure.find("title"), rows, section, measure, _how_measured(measure))
    for analysis in measure.find("analyses").each():
        compared = " and ".join(groups.get(item.text, item.text) for item in analysis.find("groupIds").each())
        facts = [f"{label}: {analysis.find(key).words}" for label, key in _ANALYSIS if analysis.find(key).words]
        text = "; ".join([f"Statistical analysis of {compared}" if compared else "Statistical analysis", *facts])
        blocks.add(BlockKind.PARAGRAPH, f"{text}.", section, analysis)


def _adverse_events(blocks: Blocks, module: Record, described: set[tuple[str, str]]) -> None:
    blocks.fact("Time frame", module.find("timeFrame"), _EVENTS)
    blocks.fact("Frequency threshold (%)", module.find("frequencyThreshold"), _EVENTS)
    blocks.prose(module.find("description"), _EVENTS)
    groups = _groups(blocks, module.find("eventGroups"), _EVENTS, described)
    if not groups:
        return
    rows = [("Affected / at risk", *groups.values())]
    for label, key in (("All-cause deaths", "deaths"), ("Serious events", "serious"), ("Other events", "other")):
        rows.append(
            (
                label,
                *(_share(item, f"{key}NumAffected", f"{key}NumAtRisk") for item in module.find("eventGroups").each()),
            )
        )
    _titled_table(blocks, Record("Participants with adverse events"), rows, _EVENTS, module.find("eventGroups"))
    for label, key in (("Vocabulary of events", "sourceVocabulary"), ("Assessment of events", "assessmentType")):
        said = [
            event.find(key) for kind in _KINDS_OF_EVENTS for event in module.find(kind).each() if event.find(key).text
        ]
        for value in {one.text: one for one in said}.values():
            blocks.fact(label, value, _EVENTS)
    for key, title in _KINDS_OF_EVENTS.items():
        rows = [("Event (affected / at risk)", *groups.values())]
        for event in module.find(key).each():
            system = f" ({event.find('organSystem').text})" if event.find("organSystem").text else ""
            note = f": {event.find('notes').text}" if event.find("notes").text else ""
            shares = {stat.find("groupId").text: _share_of_event(stat) for stat in event.find("stats").each()}
            rows.append((f"{event.find('term').text}{system}{note}", *(shares.get(group, "") for group in groups)))
        _titled_table(blocks, Record(title), rows, _EVENTS, module.find(key))


def _groups(blocks: Blocks, groups: Record, section: Section, described: set[tuple[str, str]]) -> dict[str, str]:
    """Group titles by id; a description that a section before has given is not repeated."""
    titles: dict[str, str] = {}
    for group in groups.each():
        title, description = group.find("title").text, group.find("description").text
        titles[group.find("id").text] = title
        if description and (title, description) not in described:
            described.add((title, description))
            blocks.heading(section, group)
            blocks.add(BlockKind.PARAGRAPH, f"{title}: {description}", section, group)
    return titles


def _denominators(denominators: Record, groups: dict[str, str], of: str = "") -> list[Row]:
    return [
        (
            f"{of}{item.find('units').text or _UNITS_OF_PEOPLE} analysed",
            *_by_group(item.find("counts"), groups, "value"),
        )
        for item in denominators.each()
    ]


def _measurements(measure: Record, groups: dict[str, str], denominators: list[Row]) -> list[Row]:
    """The rows of a measure's classes; a class with other denominators than the measure's says them."""
    rows: list[Row] = []
    whole = {row[1:] for row in denominators}
    for part in measure.find("classes").each():
        title = part.find("title").text
        own = _denominators(part.find("denoms"), groups, f"{title}: " if title else "")
        rows += [row for row in own if row[1:] not in whole]
        for category in part.find("categories").each():
            label = ": ".join(filter(None, (part.find("title").text, category.find("title").text)))
            values = {item.find("groupId").text: _value(item) for item in category.find("measurements").each()}
            rows.append((label or measure.find("unitOfMeasure").text, *(values.get(group, "") for group in groups)))
    return rows


def _value(item: Record) -> str:
    """`mean (spread)` or `value [lower, upper]`, with the comment on a missing one."""
    text = item.find("value").text
    if spread := item.find("spread").text:
        text += f" ({spread})"
    if item.find("lowerLimit").text or item.find("upperLimit").text:
        text += f" [{item.find('lowerLimit').text}, {item.find('upperLimit').text}]"
    if comment := item.find("comment").text:
        text += f" ({comment})"
    return text


def _how_measured(measure: Record) -> str:
    parts = (measure.find("paramType").words, measure.find("dispersionType").words, measure.find("unitOfMeasure").text)
    return ", ".join(filter(None, parts))


def _titled_table(
    blocks: Blocks, title: Record, rows: list[Row], section: Section, place: Record, note: str = ""
) -> None:
    if len(rows) < 2:
        return
    blocks.heading(section, place)
    blocks.add(BlockKind.CAPTION, " - ".join(filter(None, (title.text, note))), section, place)
    blocks.table(rows, section, place)


def _by_group(values: Record, groups: dict[str, str], key: str) -> list[str]:
    found = {item.find("groupId").text: item.find(key).text + _remark(item.find("comment")) for item in values.each()}
    return [found.get(group, "") for group in groups]


def _remark(comment: Record) -> str:
    return f" ({comment.text})" if comment.text else ""


def _share_of_event(stat: Record) -> str:
    share, events = _share(stat, "numAffected", "numAtRisk"), stat.find("numEvents").text
    return f"{share} ({events} events)" if share and events else share


def _share(record: Record, affected: str, at_risk: str) -> str:
    return "/".join(filter(None, (record.find(affected).text, record.find(at_risk).text)))
