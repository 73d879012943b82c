"""What looks like a known term and names something else: organisations, `anti-HIV`, `HEARING AIDS`, `stroke volume`. Pure."""

import re

from medkg_lab.stages.extract.folding import is_symbol
from medkg_lab.stages.parse.ctgov_protocol import LABELS

_PREFIX = re.compile(r"\b(?:(?:anti|non|counter)[-‐‑–\s]|(?:pre|pseudo)[-‐‑–])$", re.IGNORECASE)
_UNITS = (
    "Institutes?|Cent(?:er|re)s?|Societ(?:y|ies)|Associations?|Foundation|Network|Hospitals?|Clinics?|Councils?"
    "|Programme?|Consortium|Group|Fund"
    "|Alliance|Federation|Department|Division|Journal|Committee|Agency|Trust|Registry|UK|USA|Organi[sz]ation"
    "|Academy|College|Campaign|Initiative"
    "|Task Force|Commission|Board|Laborator(?:y|ies)|Unit|League|Union"
)
_ORGANISATION_AFTER = re.compile(rf"(?:[ ,&-]+(?:[A-Z][\w-]*|and|of|for|in|the)){{0,4}}?[ -](?:{_UNITS})\b")
_ORGANISATION_BEFORE = re.compile(
    rf"\b(?:{_UNITS}|Institutes?|Ministry) (?:of|for|on|against)(?: the)?(?: [A-Z][\w-]*(?:,| and| &)?){{0,3}} $"
)
_TITLE_OF_STUDY = re.compile(r"(?:-[A-Z0-9]+)*[- ](?:trial|study|registry|cohort|score)\b|-[A-Z]{2}")
"""What stands behind a word in capitals that is the name of a study, such as `the CANCER trial`."""
_SHOUTED = re.compile(r"\b[A-Z]{4,}\W+$|^\W+[A-Z]{4,}\b")
_OTHERWISE: dict[str, tuple[str, str]] = {
    "aids": (r"\b(?:hearing|visual|memory|decision|teaching|mobility|walking|first|band|sleep)[ -]$", ""),
    "depression": (
        r"\bST(?:[- ]segment)?[ -]$|\b(?:respiratory|marrow|myocardial|cortical|spreading|long[- ]term"
        "|synaptic)[ -]$",
        r" of (?:the )?(?:ST|T\b|bone|respirat)",
    ),
    "infection": (r"\bmultiplicit(?:y|ies) of $", ""),
    "infections": (r"\bmultiplicit(?:y|ies) of $", ""),
    "stroke": (
        r"\b(?:two|four|heat|piston|butterfly)[ -]$",
        r" (?:volume|work|index|length|frequency|output|rate|variation)",
    ),
    "iron": (r"\b(?:cast|golf|soldering)[ -]$", r" (?:curtain|lung|fist|man|bars?|rods?|age)\b"),
    "lead": (
        r"\b(?:the|an?|in the|take|to|will|may|can|could|would|not|12|limb|chest|pacemaker|ecg|twelve)[ -]$",
        r" (?:optimi[sz]|compound|time|author|investigator|sponsor|to\b|generation|wires?|aVR|position)",
    ),
    "tumor": ("", r" necrosis factor| suppressor"),
    "tumour": ("", r" necrosis factor| suppressor"),
    "shock": (r"\b(?:heat|cold|osmotic|electric|culture)[ -]$", r" (?:wave|absor|protein)"),
    "cold": (
        r"\b(?:the|in|in the|on|very|freez\w+|ice)[ -]$",
        r" (?:chain|water|storage|temperature|shock|stress|pbs|methanol|acetone)",
    ),
    "rash": ("", r" (?:decision|behaviou?r|impuls)"),
    "obesity": (r"\banti[ -]$", ""),
}
"""What stands before or behind a term, by the term in small letters, that makes it something else."""
_OTHERWISE_COMPILED = {
    term: (re.compile(before, re.IGNORECASE) if before else None, re.compile(after, re.IGNORECASE) if after else None)
    for term, (before, after) in _OTHERWISE.items()
}
_VOWELS = frozenset("AEIOU")
_LONGEST_LABEL = 45
_LOOK = 60
_SHORTEST_TITLE = 5
_LONGEST_PREFIX = 8


def is_something_else(text: str, start: int, end: int) -> bool:
    """Whether the term at `start:end` of `text` does not name what the vocabulary says."""
    term = text[start:end]
    if _PREFIX.search(text, max(0, start - _LONGEST_PREFIX), start):
        return True
    before, after = text[max(0, start - _LOOK) : start], text[end : end + _LOOK]
    if (
        term[:1].isupper()
        and not is_symbol(term)
        and (_ORGANISATION_AFTER.match(after) or _ORGANISATION_BEFORE.search(before))
    ):
        return True
    if (
        is_symbol(term)
        and term.isupper()
        and _VOWELS & set(term)
        and (_SHOUTED.search(before) or _SHOUTED.match(after))
    ):
        return True
    if term.isupper() and len(term) >= _SHORTEST_TITLE and text != text.upper() and _TITLE_OF_STUDY.match(after):
        return True
    first, second = _OTHERWISE_COMPILED.get(term.lower(), (None, None))
    if (first and first.search(before)) or (second and second.match(after)):
        return True
    return _is_label(text, start, end)


def _is_label(text: str, start: int, end: int) -> bool:
    """Whether the term is part of what the registry's reader writes before a value: `Registry number: NCT…`."""
    line = text.rfind("\n", 0, start) + 1
    colon = text.find(":", end, line + _LONGEST_LABEL)
    return colon > 0 and text[line:colon].strip() in LABELS
