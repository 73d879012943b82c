"""The headings of eligibility criteria: which words open a list of them, and whether it says who may not take part. Pure."""

import re
from collections.abc import Iterator

_EXCLUDING = re.compile(
    r"\bnon[- ]?inclusions?\b|\bmust not (?:have|be|suffer|take)\b"
    r"|\bexclu(?:sions?|sionary|de[sd]?)\b|\bineligib(?:le|ility)\b(?! to receive"
    r"| for (?:intensive|standard|\w+therapy|trans))|\bdisqualif\w+|\bcontra-?indications?\b"
    r"|\b(?:not|cannot|can['’]t|unable to)(?: be| considered| deemed| currently| to)*"
    r" (?:eligible|included|inclusion|enrol+(?:ed)?|allowed|permitted|recruited|admitted|accepted|participate"
    r"|take part|join|enter|qualify)\b",
    re.IGNORECASE,
)
_INCLUDING = re.compile(
    r"\binclu(?:sions?|de[sd]?)\b|\beligib\w+|\bentry criteri(?:a|on)|\benrol+(?:ed)?\b|\bqualif(?:y|ies|ied)\b"
    r"|\b(?:can|may) (?:participate|take part|join)\b",
    re.IGNORECASE,
)
_NAMED = r"(?:non[- ]?inclusion|inclusion|exclusion(?:ary)?|eligibility|ineligibility|entry)"
_HEADING = re.compile(
    rf"\W*(?:[\w,/()&%-]+ ){{0,8}}?{_NAMED}(?:(?:/| and | & ){_NAMED})?(?: [\w/-]+){{0,2}}? criteri(?:a|on)"
    r"(?: (?:for|prior|determined|at|to|of|in|by|as|all|\()[^.:]{0,80}|\s*\([^)]{0,60}\))?\s*:?"
    rf"|\W*(?:\w+ )?criteri(?:a|on) (?:for|of) (?:\w+ )?{_NAMED}\s*:?",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"\W*(?:(?:key|main|major|general|other|additional) )?(?:{_NAMED}s?|included|excluded|eligible|ineligible"
    rf"|not eligible|not included"
    r"|contra-?indications?|(?:reasons?|grounds) for exclusion|(?:exclusion(?:ary)?|disqualifying) (?:conditions?|factors?)"
    r"|who (?:can(?:not| not)?|may(?: not)?) (?:take part|participate|join|enter))\s*(?::|\W*$)"
    r"|\W*(?:[\w,/()-]+ ){0,3}must not (?:have|be|suffer from)(?: any of(?: the following| these)?)?\s*:",
    re.IGNORECASE,
)
_RUN_IN = re.compile(
    rf"(?:(?<=[.;!?)\]]\s)|(?<=[.;!?)\]])|(?<=\s)(?=(?-i:[A-Z]))|^\W*)(?:(?:key|main|major|general|other|patient"
    rf"|donor|clinic) )?"
    rf"(?:who (?:can(?:not| not)?|may(?: not)?) (?:take part|participate|join):\s*"
    rf"|{_NAMED}(?:s?(?: criteri(?:a|on))?\s*:\s*| criteri(?:a|on) (?:are|is|were|include[sd]?|comprise[sd]?"
    rf"|consist(?:s|ed)? of):? ))(?=\S)",
    re.IGNORECASE,
)
_LIST_TO_COME = re.compile(
    r"\b(?:following|any of|all of|either of|one of|below|these|criteri(?:a|on)|if|who|with)\b", re.IGNORECASE
)
_ITEM_SUBJECT = re.compile(
    r"\W*(?:the |a |an |any |all )?(?:participants?|patients?|subjects?|individuals?|people|persons?|candidates?"
    r"|volunteers?|those)"
    r" (?:will|must|may|are|is|should|shall|can|cannot|who (?:meet|fulfil|have any))\b",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"\W*(?:[\w-]+ ){0,3}?(?:withdrawal|discontinuation|stopping|removal|termination|randomi[sz]ation|rescue|response)"
    r" criteri(?:a|on)\s*:?",
    re.IGNORECASE,
)
"""What opens a list of something else, and so ends one of who may not take part."""
_SENTENCE = re.compile(r"\b(?:meets?|meeting|fulfil\w*|appl(?:y|ies|ied))\b", re.IGNORECASE)
_LONGEST_HEADING = 220


def excludes(heading: str) -> bool | None:
    """Whether a heading stands over those who may not take part; None where it says neither this nor the contrary."""
    rest = _EXCLUDING.sub(" ", heading)
    is_excluding, is_including = rest != heading, bool(_INCLUDING.search(rest))
    return is_excluding if is_excluding != is_including else None


def is_heading(line: str, is_item: bool = False) -> bool:
    """Whether a line, or with `is_item` what stands behind a bullet, opens a list of criteria."""
    text = line.strip()
    if _OTHER.fullmatch(text):
        return not is_item or text.endswith(":")
    if len(text) > _LONGEST_HEADING or not (_EXCLUDING.search(text) or _INCLUDING.search(text)):
        return False
    has_colon = text.endswith(":")
    if (_HEADING.fullmatch(text) or _BARE.fullmatch(text)) and (has_colon or not (is_item or _SENTENCE.search(text))):
        return True
    return has_colon and bool(_LIST_TO_COME.search(text)) and (not is_item or bool(_ITEM_SUBJECT.match(text)))


def split_headings(entry: str, is_item: bool = False) -> Iterator[tuple[str, bool]]:
    """The parts of a paragraph or list item in order, each with whether it is a heading: `Adults. Exclusion: gout` has three."""
    if is_heading(entry, is_item):
        yield entry, True
        return
    reached = 0
    for match in _RUN_IN.finditer(entry):
        if before := entry[reached : match.start()].strip():
            yield before, False
        yield match[0].strip(), True
        reached = match.end()
    if rest := entry[reached:].strip():
        yield rest, False
