"""Whether a mention is denied, in the manner of NegEx.

Chapman et al., "A simple algorithm for identifying negated findings and diseases in discharge summaries", Journal of Biomedical
Informatics 34 (2001): a trigger within a few words before or after the mention, in the same clause.
"""

import re
from bisect import bisect_right

_REACH_WORDS = 6
_REACH_CHARACTERS = 90
_BEFORE = re.compile(
    r"\b(?:no|not|without|denie[sd]|denying|absence of|absent|negative for|free of|never|neither|nor|rules? out|ruled out|"
    r"excluded?|lack(?:ed|s|ing)? (?:of )?|cannot|none (?:of|had))\b",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\s+(?:was|were|is|are|has been|had been)\s+(?:not (?:seen|found|observed|detected|present|reported|diagnosed)|"
    r"ruled out|excluded|absent|unlikely|negative)\b",
    re.IGNORECASE,
)
_SEEMING = re.compile(
    r"\b(?:not only|with or without|without (?:difficulty|delay)|no doubt|cannot be excluded|"
    r"no (?:further |statistically )?(?:significant )?"
    r"(?:increase|decrease|change|difference|effect|association|interaction|improvement|benefit)|"
    r"not (?:necessarily|certain|known|clear|stated|yet|exceed|differ|increase|decrease|reduce|affect|change|more|less|been))\b",
    re.IGNORECASE,
)
"""Phrases that hold a trigger but deny something else than the mention."""
_CLAUSE_END = re.compile(
    r"[.;:!?]\s|\b(?:but|however|although|though|except|apart from|which|who|because|since|whereas|while)\b",
    re.IGNORECASE,
)


class Negations:
    """The triggers of one text, found once, so that the many mentions far from any cost nothing."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = [match.end() for match in _BEFORE.finditer(text)]

    def denies(self, start: int, end: int) -> bool:
        """Whether the mention at `start:end` is denied by a trigger in its clause."""
        return self._before(start) or self._after(end)

    def _before(self, start: int) -> bool:
        reach = max(0, start - _REACH_CHARACTERS)
        nearest = bisect_right(self._ends, start) - 1
        if nearest < 0 or self._ends[nearest] <= reach:
            return False
        clause = _SEEMING.sub(" ", _CLAUSE_END.split(self._text[reach:start])[-1])
        return bool(_BEFORE.search(" ".join(clause.split()[-_REACH_WORDS:])))

    def _after(self, end: int) -> bool:
        if not _AFTER.match(self._text, end, end + _REACH_CHARACTERS):
            return False
        clause = _CLAUSE_END.split(self._text[end : end + _REACH_CHARACTERS])[0]
        return bool(_AFTER.match(clause)) and not _SEEMING.search(clause)
