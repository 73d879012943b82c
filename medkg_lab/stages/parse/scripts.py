"""Superscripts and subscripts as plain text in which no number comes about that nobody wrote.

A superscript is an exponent (`10^6`, `m^2`, `kg^-1`), a reference or footnote mark (`stroke [1,2]`, `5.1 [a]`), a charge (`Ca2+`)
or an ending (`8th`); which one follows from what stands before it. Marks that touch become one pair of brackets. While a line is
being put together, private characters delimit the marks; `with_brackets` turns them into brackets once the neighbours are known.
"""

import re

_OPEN, _CLOSE, _END, _LEADING, _COMMA = "\ue0f0", "\ue0f1", "\ue0f2", "\ue0f3", "\ue0f4"
"""Around a mark; after a script; before a number that leads a word (an isotope or a mark); a raised comma between marks."""

_PRIVATE = re.compile(f"[{_OPEN}{_CLOSE}{_END}{_LEADING}{_COMMA}]")
_NEAR = 64
"""Characters before a script that are looked at."""

_MINUS = "−–‒‐-"
_PLAIN = re.compile(r"(?:st|nd|rd|th|er|o|®|™|©|TM|°|º|'|′|″|[*∗⋆†‡§¶#∧^‖]+)$")
_CHARGE = re.compile(rf"\d?[+{_MINUS}]{{1,2}}|[+{_MINUS}]/[+{_MINUS}]")
_SIGNED = re.compile(rf"[+{_MINUS}]\s?(?:\d+(?:[.,]\d+)?|[a-z])")
_NUMBER = re.compile(r"\d{1,4}")
_DECIMAL = re.compile(r"\d+\.\d+")
_MARKS = re.compile(rf"[(\[]?[\d{_MINUS}—,;.\s*∗†‡§¶#]*\d[\d{_MINUS}—,;.\s*∗†‡§¶#]*[)\]]?")
_LETTER_MARKS = re.compile(r"[\s,;]*(?:\(?[A-Za-z]\)?|[\d*∗†‡§¶#]+)(?:[\s,;]+(?:\(?[a-z]\)?|[\d*∗†‡§¶#]+))*[\s,;]*")
_POWERS = frozenset("nmkxyijpqtTNQ")
"""Letters that stand for a power above a variable; others are marks of footnotes."""
_POWER = re.compile(r"[A-Za-zΑ-Ωα-ωµ]\^\d$")
_TEN = re.compile(r"(?<!\d)10\s*$")
_VARIABLE = re.compile(r"(?:^|[^A-Za-zΑ-Ωα-ωµ\d])[A-Za-zΑ-Ωα-ωµ]$")
_INDEXED = re.compile(r"(?:^|[^\w^])(?:[RrΑ-Ωα-ωµ]\w{1,4}|[a-z]\w)$")
"""A variable with its index, as in the variance `σ_e^2` and the effect size `η_p^2`."""
_LENGTH = re.compile(r"(?:^|[^A-Za-z])(?:[kcdmnµμ]?m|inch|in|ft|sec|min)$")
_NAMED_BY_LETTER = re.compile(
    r"\b(?:vitamins?|hepatitis|influenza|types?|groups?|grades?|stages?|class|arms?|proteins?|factors?|phases?|panels?|"
    r"figures?|figs?\.?|tables?|cohorts?|model|strains?|and|or)\s+[A-Za-z]$",
    re.IGNORECASE,
)
_ELEMENT = (
    r"(?=(?:H|C|N|O|F|P|S|K|I|U|Na|Mg|Al|Si|Cl|Ca|Cr|Mn|Fe|Co|Ni|Cu|Zn|Ga|Ge|Se|Br|Rb|Sr|Y|Zr|Tc|In|Sn|Te|Xe|Cs|Ba|"
    + (r"La|Sm|Gd|Tb|Ho|Er|Yb|Lu|W|Re|Ir|Pt|Au|Hg|Tl|Pb|Bi|Rn|Ra|Ac|Th|Am|At|Po|m?Tc)(?![a-z]))")
)


def superscript(before: str, text: str) -> str:
    """What a superscript adds to a line that so far ends with `before`; the line is to be settled at its end."""
    text = " ".join(text.split())
    base = _base(before)
    if not text or _PLAIN.match(text):
        return text
    if text in (",", ";"):
        return _COMMA
    after_digit = base[-1:].isdigit()
    if _SIGNED.fullmatch(text) or _DECIMAL.fullmatch(text):
        return _power(text)
    if _CHARGE.fullmatch(text):
        return _power(text) if after_digit and text[0].isdigit() else text
    if _NUMBER.fullmatch(text):
        return _raised_number(base, text, before.endswith(_END))
    if _MARKS.fullmatch(text):
        return mark(text)
    if _LETTER_MARKS.fullmatch(text):
        is_power = text in _POWERS and (_is_variable(base) or _TEN.search(base))
        return _power(text) if is_power else mark(text)
    if text[0] == "(" and not base[-1:].isspace() and base:
        return _power(text)
    return text


def _base(before: str) -> str:
    """The end of the line so far; what follows a script is apart from it."""
    return _PRIVATE.sub("", before[-_NEAR:].rstrip(_END).replace(_END, " "))


def _raised_number(base: str, text: str, script: bool) -> str:
    """A raised number; `script` says that a subscript or another script ends right before it."""
    if not base or base[-1].isspace() or base[-1] in "([{/-–":
        return f"{_LEADING}{text}{_END}"
    if script and text in "23" and _INDEXED.search(base):
        return _power(text)
    is_power = _TEN.search(base) or (len(text) == 1 and (_is_variable(base) or _LENGTH.search(base)))
    return _power(text) if is_power else mark(text)


def _is_variable(base: str) -> bool:
    """Whether `base` ends with a letter that stands alone and names no kind, as in "vitamin D"."""
    return bool(_VARIABLE.search(base)) and not _NAMED_BY_LETTER.search(base)


def _power(text: str) -> str:
    return f"^{text.translate(dict.fromkeys(map(ord, _MINUS), '-')).replace(' ', '')}{_END}"


def subscript(before: str, text: str) -> str:
    """What a subscript adds to a line that ends with `before`: itself, after `_` where two numbers would become one."""
    base = _base(before)
    text = " ".join(text.split())
    apart = base[-1:].isdigit() and (text[:1].isdigit() or (before.endswith(_END) and _POWER.search(base)))
    return f"_{text}{_END}" if apart else f"{text}{_END}" if text else ""


def mark(text: str) -> str:
    """A reference or footnote mark, with or without brackets of its own."""
    inner = text.strip(" ,;.()[]")
    return f"{_OPEN}{inner}{_CLOSE}" if inner else text


def continues_marks(before: str) -> bool:
    """Whether a line ends with a raised comma, so that the number after it is a mark as well."""
    return before.endswith(_COMMA)


def is_doubtful(before: str, text: str) -> bool:
    """Whether a superscript number might be a power although it is read as a reference, or the other way round."""
    base, text = before[-_NEAR:].rstrip("\u2009\u00a0 "), text.strip()
    return bool(_NUMBER.fullmatch(text)) and base[-1:].isdigit() and not _TEN.search(base)


_BETWEEN = re.compile(f"{_CLOSE}([\\s,;{_COMMA}{_MINUS}—]{{0,3}}){_OPEN}")
_LED = re.compile(f"{_LEADING}(\\d+){_END}{_ELEMENT}")
_LED_MARK = re.compile(f"{_LEADING}(\\d+){_END}")
_MARK = re.compile(f"[\u2009\u00a0 ]?{_OPEN}([^{_CLOSE}]*){_CLOSE}")


def with_brackets(text: str) -> str:
    """The line with its marks in brackets: `stroke [1,2] and`."""
    if not _PRIVATE.search(text):
        return text
    text = _LED_MARK.sub(f"{_OPEN}\\1{_CLOSE}", _LED.sub(r"\1", text))
    text = _BETWEEN.sub(lambda found: found[1].strip().replace(_COMMA, ",") or ",", text)
    pieces: list[str] = []
    place = 0
    for found in _MARK.finditer(text):
        pieces.append(text[place : found.start()])
        gap = "" if not found.start() or text[found.start() - 1] in "([{ \n" else " "
        place = found.end()
        pieces.append(f"{gap}[{found[1]}]" + (" " if text[place : place + 1].isalnum() else ""))
    text = "".join([*pieces, text[place:]])
    text = re.sub(f"{_END}(?=\\d)", " ", text)
    return _PRIVATE.sub(lambda found: "," if found[0] == _COMMA else "", text)
