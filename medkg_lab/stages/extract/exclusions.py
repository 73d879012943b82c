"""Which mentions a trial or a study excludes: those in a list of exclusion criteria, or in a sentence that excludes people. Pure.

A criterion also speaks of what is allowed, of what a drug is for, and of what people refuse: none of that is excluded.
"""

import re
from collections.abc import Sequence
from functools import cached_property

from medkg_lab.stages import criteria

_NOT_IN = re.compile(
    "not (?:be )?(?:eligible|included|enrol|allowed|permitted|considered|recruited|take part|participate|join|enter|have|suffer)"
)
"""Without one of these, `exclu` or `ineligib`, all in lower case, no sentence excludes anybody."""
_CUT = re.compile(r"[.!?](?=\s|$)|[;；\n|]")
_PEOPLE = (
    r"(?:patients?|subjects?|participants?|individuals?|people|persons?|volunteers?|women|men|children|adults|those"
    r"|cases|donors?|studies"
    r"|infants?|candidates?|respondents?)"
)
_BE_OUT = (
    r"(?:(?:will|must|should|may|can|shall|are|is|were|was|have been|has been|be)\s+)+(?:also |therefore |then )?"
    r"(?:excluded|ineligible|not (?:be )?(?:eligible|included|enrolled|allowed|permitted|considered|recruited)"
    r"|not (?:take part|participate|join|enter|enrol+))|cannot (?:be included|take part|participate|join|enter|enrol+)"
)
_SUBJECT_OUT = re.compile(
    rf"\b{_PEOPLE}\b[^.;\n]{{0,80}}?\b(?:with|who (?:ha[sdve]+|are|were|take|took|suffer(?:ed)? from)|having"
    rf"|suffering from|taking|on|receiving"
    rf"|diagnosed with|known to have)\b(?P<who>[^.;\n]{{3,400}}?)\b{_BE_OUT}\b",
    re.IGNORECASE,
)
_OUT_IF = re.compile(
    rf"\b(?:{_BE_OUT}|excluded)(?: from (?:the |this |our )?[\w ]{{3,40}}?)?,? (?:if|when|because of|due to|for"
    rf"|on the basis of|in case of)\b(?P<who>[^.;\n]+)"
    rf"|\b(?:we |was |were )?exclud(?:ed|ing|es) (?:all |any )?{_PEOPLE}\b[^.;\n]{{0,40}}?\b(?:with|who ha[sdve]+"
    rf"|having|on|taking)\b(?P<whom>[^.;\n]+)"
    rf"|\bexcluded (?:are|were|will be) (?:all |any )?{_PEOPLE}\b[^.;\n]{{0,40}}?\b(?:with|who ha[sdve]+|having|on|taking)"
    r"\b(?P<put_first>[^.;\n]+)"
    r"|\bmust not (?:have(?! (?:received|been|taken|had))|suffer from)\b(?P<must>[^.;\n]+)"
    r"|\bexclusion criteria (?:were|was|are|included?|comprised|consisted of)\b(?P<list>[^.\n]+)"
    r"|(?:^|(?<=[.;\n] )|(?<=\n))(?:exclusion criteria|exclusions?|ineligible|not eligible"
    r"|excluded)\s*:(?P<named>[^.\n]+)",
    re.IGNORECASE,
)
_ALLOWED = re.compile(
    r"\b(?:(?:is|are|be|was|were)(?: \w+ly)? (?:allowed|permitted|eligible|acceptable|accepted|included|enrolled)"
    r"|may (?:be (?:enrolled|included|eligible)"
    r"|participate|enter|enrol+)|can (?:be (?:enrolled|included)|participate)|(?:not|no) (?:be )?(?:excluded"
    r"|exclusionary|an exclusion|exclude|considered)"
    r"|(?:following|allowed|permitted)\b[^.;]{0,60}(?:allowed|permitted)|must have (?:recovered|resolved|been))\b",
    re.IGNORECASE,
)
_NOT_ALLOWED = re.compile(
    r"\bnot (?:be )?(?:allowed|permitted|eligible|acceptable|accepted|included|enrolled)\b|\bineligible\b",
    re.IGNORECASE,
)
_EXCEPT = re.compile(
    r"\b(?:except(?:ing|ion)?(?: for| of)?|with the exceptions? of|other than|apart from|aside from|unless"
    r"|not including|not limited to any|excluding"
    r"|but not|does not include|do not include|not count(?:ing|ed)|exclusive of)\b",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"(?:\b(?:unwilling(?:ness)?|unable|inability|refus\w+|declin\w+|contra-?indica\w+|intoleran\w+|allerg\w+"
    r"|hypersensitiv\w+|unsuitable|resolution"
    r"|recover\w+|prevent\w*|manag\w+|resolved|absorption|candidates? for|eligible for|naive to|without|lack of"
    r"|absence of|unresponsive"
    r"|fear of|phobia of|proceedings|marked for|causes of|planned|planning|plans?|scheduled|willing\w*|interfere\w*"
    r"|impair\w*|before|after|prior to"
    r"|until|during|since|following|within"
    r"|within \d+ \w+ of|first dose of|start of|treat(?:ed|ing)? (?:for|of)|treatments? (?:for|of)|therapy for"
    r"|used (?:for|to)|indicated for|to treat"
    r"|medi(?:cation|cine)s? for|drugs? for|surgery for|trials? (?:for|of)|stud(?:y|ies) (?:for|of)|risk (?:of|for)"
    r"|requiring|required|no|(?<!must )not|never|negative for"
    r"|compar\w+|measur\w+|assess\w+|evaluat\w+|scan|confirmed by|determined by|seen on|evidenced? (?:by|on)"
    r"|shown (?:by|on)|detected by|via|using|based on)\b)"
    r"(?: (?!or\b|and\b)[\w'-]+){0,3}? ?[(\"]?$",
    re.IGNORECASE,
)
"""What stands before something that is refused, treated, planned, compared with or only a point of time."""
_LISTED_REFUSAL = re.compile(
    r"\b(?:contra-?indications?|contraindicated|intoleran(?:ce|t)|allerg(?:y|ies|ic)|hypersensitivity|unwilling"
    r"|unable|refus\w+)\b[^.;:]*$",
    re.IGNORECASE,
)
_MEASURED = re.compile(
    r"[^.;,]{0,30}?(?:[<>≤≥=]|\b(?:less|lower|lesser|greater|more|higher|above|below)\b)|[ -](?:classification"
    r"|grade|criteria|contrast|results?|scans?|exams?)\b"
)
"""What stands behind something that is measured or looked at, and not what a person has or gets."""
_ABOVE = re.compile(r"(?: \([A-Za-z]{2,6}\))? ?[<>≤≥]")
_EXCEPT_LIST = re.compile(
    r"\b(?:except(?:ions?)?(?: for| are)?|other than|acceptable[\w ]{0,40}):\s*(?:[^\n:]{0,120}\n+){0,4}[^\n:]{0,120}$",
    re.IGNORECASE,
)
_LIST_LOOK = 400
_OTHER_HEAD = re.compile(
    r"[ -](?:medications?|medicines?|drugs?|trials?|stud(?:y|ies)|vaccin\w+|antigens?|antibod(?:y|ies)|tests?"
    r"|testing|scores?|scales?|assessments?|questionnaires?"
    r"|clinics?|centers?|centres?|screening|treatments?|therap(?:y|ies)|surgery|surgeries|management|control|relief"
    r"|specialists?|nurses?|markers?|models?)\b",
    re.IGNORECASE,
)


class Exclusions:
    """What one passage excludes; `section` are the headings above it."""

    def __init__(self, text: str, section: Sequence[str]) -> None:
        self._text = text
        verdicts = [verdict for heading in section if (verdict := criteria.excludes(heading)) is not None]
        self._listed = bool(verdicts) and verdicts[-1]
        self._spans: list[tuple[int, int]] = []
        lowered = text.lower()
        if "exclu" in lowered or "ineligib" in lowered or ("not " in lowered and _NOT_IN.search(lowered)):
            for match in (*_OUT_IF.finditer(text), *_SUBJECT_OUT.finditer(text)):
                self._spans += (match.span(name) for name, part in match.groupdict().items() if part)

    def excludes(self, start: int, end: int, is_finding: bool) -> bool:
        """Whether who has, or with anything but a finding gets, what is mentioned at `start:end` may not take part."""
        if not (self._listed or any(low <= start and end <= high for low, high in self._spans)):
            return False
        begin, finish = self._clause(start, end)
        clause = self._text[begin:finish]
        before, after = self._text[begin:start], self._text[end:finish]
        if _ALLOWED.search(clause) and not _NOT_ALLOWED.search(clause):
            return False
        if any(_is_within(before[match.end() :], before[: match.start()]) for match in _EXCEPT.finditer(before)):
            return False
        if _EXCEPT_LIST.search(self._text, max(0, start - _LIST_LOOK), start) or _ABOVE.match(after):
            return False
        if _AWAY.search(before) or _LISTED_REFUSAL.search(before):
            return False
        return not (_OTHER_HEAD if is_finding else _MEASURED).match(after)

    @cached_property
    def _cuts(self) -> list[int]:
        return [match.start() for match in _CUT.finditer(self._text)]

    def _clause(self, start: int, end: int) -> tuple[int, int]:
        begin = max((cut + 1 for cut in self._cuts if cut < start), default=0)
        return begin, min((cut for cut in self._cuts if cut >= end), default=len(self._text))


def _is_within(since: str, before: str) -> bool:
    """Whether an exception still holds after the words `since`: to its bracket's end if it stands in one, else to a comma."""
    in_brackets = before.count("(") > before.count(")")
    return (")" if in_brackets else ",") not in since and (in_brackets or ")" not in since)
