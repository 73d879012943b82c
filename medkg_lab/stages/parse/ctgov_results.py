"""The results of a study as blocks: participant flow, baseline, outcome measures and adverse events, with values as tables."""

from medkg_lab.models.ir import BlockKind
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
    _flow(blocks, results["participantFlowModule"], described)
    _baseline(blocks, results["baselineCharacteristicsModule"], described)
    for measure in results["outcomeMeasuresModule.outcomeMeasures"].each():
        _outcome(blocks, measure, described)
    _adverse_events(blocks, results["adverseEventsModule"], described)
    blocks.prose(results["moreInfoModule.limitationsAndCaveats.description"], _LIMITS)
    read_agreements(blocks, results["moreInfoModule"])


def _flow(blocks: Blocks, module: Record, described: set[tuple[str, str]]) -> None:
    blocks.fact("Recruitment", module["recruitmentDetails"], _FLOW)
    blocks.fact("Before assignment", module["preAssignmentDetails"], _FLOW)
    groups = _groups(blocks, module["groups"], _FLOW, described)
    for period in module["periods"].each():
        rows = [("Milestone", *groups.values())]
        rows += [_counts(item, groups, "achievements", "numSubjects", "") for item in period["milestones"].each()]
        rows += [
            _counts(item, groups, "reasons", "numSubjects", "Not completed: ")
            for item in period["dropWithdraws"].each()
        ]
        _titled_table(blocks, period["title"], rows, _FLOW, period)


def _counts(item: Record, groups: dict[str, str], key: str, value: str, prefix: str) -> Row:
    label = f"{prefix}{item['type'].words}" + (f" ({item['comment'].text})" if item["comment"].text else "")
    return (label, *_by_group(item[key], groups, value))


def _baseline(blocks: Blocks, module: Record, described: set[tuple[str, str]]) -> None:
    blocks.fact("Population", module["populationDescription"], _BASELINE)
    groups = _groups(blocks, module["groups"], _BASELINE, described)
    denominators = _denominators(module["denoms"], groups)
    for measure in module["measures"].each():
        blocks.prose(measure["description"], _BASELINE)
        blocks.prose(measure["populationDescription"], _BASELINE)
        rows = [("", *groups.values()), *denominators, *_measurements(measure, groups, denominators)]
        _titled_table(blocks, measure["title"], rows, _BASELINE, measure, _how_measured(measure))


def _outcome(blocks: Blocks, measure: Record, described: set[tuple[str, str]]) -> None:
    section = (*_OUTCOMES, measure["title"].text or "Outcome measure")
    blocks.heading(section, measure)
    blocks.fact("Type", measure["type"], section)
    blocks.prose(measure["description"], section)
    blocks.fact("Time frame", measure["timeFrame"], section)
    blocks.fact("Analysed population", measure["populationDescription"], section)
    blocks.fact("Units analysed", measure["typeUnitsAnalyzed"], section)
    if measure["reportingStatus"].text not in ("", "POSTED"):
        blocks.fact("Reporting", measure["reportingStatus"], section)
        blocks.fact("Results expected", measure["anticipatedPostingDate"], section)
    groups = _groups(blocks, measure["groups"], section, described)
    denominators = _denominators(measure["denoms"], groups)
    rows = [("", *groups.values()), *denominators, *_measurements(measure, groups, denominators)]
    _titled_table(blocks, measure["title"], rows, section, measure, _how_measured(measure))
    for analysis in measure["analyses"].each():
        compared = " and ".join(groups.get(item.text, item.text) for item in analysis["groupIds"].each())
        facts = [f"{label}: {analysis[key].words}" for label, key in _ANALYSIS if analysis[key].words]
        text = "; ".join([f"Statistical analysis of {compared}" if compared else "Statistical analysis", *facts])
        blocks.add(BlockKind.PARAGRAPH, f"{text}.", section, analysis)


def _adverse_events(blocks: Blocks, module: Record, described: set[tuple[str, str]]) -> None:
    blocks.fact("Time frame", module["timeFrame"], _EVENTS)
    blocks.fact("Frequency threshold (%)", module["frequencyThreshold"], _EVENTS)
    blocks.prose(module["description"], _EVENTS)
    groups = _groups(blocks, module["eventGroups"], _EVENTS, described)
    if not groups:
        return
    rows = [("Affected / at risk", *groups.values())]
    for label, key in (("All-cause deaths", "deaths"), ("Serious events", "serious"), ("Other events", "other")):
        rows.append(
            (label, *(_share(item, f"{key}NumAffected", f"{key}NumAtRisk") for item in module["eventGroups"].each()))
        )
    _titled_table(blocks, Record("Participants with adverse events"), rows, _EVENTS, module["eventGroups"])
    for label, key in (("Vocabulary of events", "sourceVocabulary"), ("Assessment of events", "assessmentType")):
        said = [event[key] for kind in _KINDS_OF_EVENTS for event in module[kind].each() if event[key].text]
        for value in {one.text: one for one in said}.values():
            blocks.fact(label, value, _EVENTS)
    for key, title in _KINDS_OF_EVENTS.items():
        rows = [("Event (affected / at risk)", *groups.values())]
        for event in module[key].each():
            system = f" ({event['organSystem'].text})" if event["organSystem"].text else ""
            note = f": {event['notes'].text}" if event["notes"].text else ""
            shares = {stat["groupId"].text: _share_of_event(stat) for stat in event["stats"].each()}
            rows.append((f"{event['term'].text}{system}{note}", *(shares.get(group, "") for group in groups)))
        _titled_table(blocks, Record(title), rows, _EVENTS, module[key])


def _groups(blocks: Blocks, groups: Record, section: Section, described: set[tuple[str, str]]) -> dict[str, str]:
    """Group titles by id; a description that a section before has given is not repeated."""
    titles: dict[str, str] = {}
    for group in groups.each():
        title, description = group["title"].text, group["description"].text
        titles[group["id"].text] = title
        if description and (title, description) not in described:
            described.add((title, description))
            blocks.heading(section, group)
            blocks.add(BlockKind.PARAGRAPH, f"{title}: {description}", section, group)
    return titles


def _denominators(denominators: Record, groups: dict[str, str], of: str = "") -> list[Row]:
    return [
        (f"{of}{item['units'].text or _UNITS_OF_PEOPLE} analysed", *_by_group(item["counts"], groups, "value"))
        for item in denominators.each()
    ]


def _measurements(measure: Record, groups: dict[str, str], denominators: list[Row]) -> list[Row]:
    """The rows of a measure's classes; a class with other denominators than the measure's says them."""
    rows: list[Row] = []
    whole = {row[1:] for row in denominators}
    for part in measure["classes"].each():
        title = part["title"].text
        own = _denominators(part["denoms"], groups, f"{title}: " if title else "")
        rows += [row for row in own if row[1:] not in whole]
        for category in part["categories"].each():
            label = ": ".join(filter(None, (part["title"].text, category["title"].text)))
            values = {item["groupId"].text: _value(item) for item in category["measurements"].each()}
            rows.append((label or measure["unitOfMeasure"].text, *(values.get(group, "") for group in groups)))
    return rows


def _value(item: Record) -> str:
    """`mean (spread)` or `value [lower, upper]`, with the comment on a missing one."""
    text = item["value"].text
    if spread := item["spread"].text:
        text += f" ({spread})"
    if item["lowerLimit"].text or item["upperLimit"].text:
        text += f" [{item['lowerLimit'].text}, {item['upperLimit'].text}]"
    if comment := item["comment"].text:
        text += f" ({comment})"
    return text


def _how_measured(measure: Record) -> str:
    parts = (measure["paramType"].words, measure["dispersionType"].words, measure["unitOfMeasure"].text)
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
    found = {item["groupId"].text: item[key].text + _remark(item["comment"]) for item in values.each()}
    return [found.get(group, "") for group in groups]


def _remark(comment: Record) -> str:
    return f" ({comment.text})" if comment.text else ""


def _share_of_event(stat: Record) -> str:
    share, events = _share(stat, "numAffected", "numAtRisk"), stat["numEvents"].text
    return f"{share} ({events} events)" if share and events else share


def _share(record: Record, affected: str, at_risk: str) -> str:
    return "/".join(filter(None, (record[affected].text, record[at_risk].text)))
