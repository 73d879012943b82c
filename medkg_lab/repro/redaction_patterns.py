"""The forms by which a text shows what tells of a person or opens a door: numbers, addresses, names with words before them.

What has no form of its own (a name in a sentence, a date, an age, a place) is not found; NOT_SOUGHT says so to whoever redacts.
A form is only taken for a secret where ordinary medical text does not have it: trial numbers, doses, laboratory values, DOIs,
ISSNs, enzyme numbers, statistics and page ranges are left alone.
"""

import base64
import ipaddress
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

EMAIL = "e-mail"
PHONE = "phone"
TOKEN = "token"
PATH = "path"
NAME = "name"
NUMBER = "personal number"
BIRTH = "date of birth"
ADDRESS = "address"
NETWORK = "network address"
ACCOUNT = "account"

NOT_SOUGHT = (
    "names in running text without a title or label before them",
    "ages, and dates other than of birth",
    "places, institutions, and addresses in other forms",
    "numbers that have no label before them and no form of their own",
    "accession numbers, coordinates, room numbers",
    "what pictures and PDFs show",
)
"""What redaction does not look for, as a report says it."""


@dataclass(frozen=True)
class Form:
    """A form: `group` of a match of `pattern` is the secret, where `holds` does not deny it. A `word` stands alone."""

    kind: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] = bool
    word: bool = True
    group: int = 0


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter in "0123456789")


def _between(low: int, high: int) -> Callable[[str], bool]:
    return lambda text: low <= len(_digits(text)) <= high


def is_card(text: str) -> bool:
    """Whether the digits are a payment card's: the beginnings that are given out, and Luhn's check digit (ISO/IEC 7812-1)."""
    digits = _digits(text)
    if not re.fullmatch(
        r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|35\d{14}", digits
    ):
        return False
    doubled = (int(one) * (1 + place % 2) for place, one in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether it is an account number by ISO 13616: its remainder by 97 is 1."""
    compact = text.replace(" ", "")
    moved = compact[4:] + compact[:4]
    return 15 <= len(compact) <= 34 and int("".join(str(int(one, 36)) for one in moved)) % 97 == 1


def is_nhs(text: str) -> bool:
    """Whether the ten digits are a number of the NHS: its check digit by 11."""
    digits = [int(one) for one in _digits(text)]
    check = 11 - sum(one * weight for one, weight in zip(digits, range(10, 1, -1), strict=False)) % 11
    return len(digits) == 10 and check % 11 == digits[9]


def is_orcid(text: str) -> bool:
    """Whether it is a person's ORCID iD by its check character (ISO/IEC 7064, MOD 11-2)."""
    total = 0
    for digit in _digits(text[:-1]):
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == text[-1]


def _is_address_of_network(text: str) -> bool:
    try:
        if ipaddress.ip_address(text).is_loopback:
            return False
    except ValueError:
        return False
    # Enzyme numbers and numbered sections have four parts as well, and begin with a small one.
    return ":" in text or int(text.partition(".")[0]) > 7


def _is_no_word(text: str) -> bool:
    """Whether it is not a word of a sentence: it has a digit, or capitals in it."""
    return any(letter.isdigit() for letter in text) or not (text.islower() or text.istitle())


def _is_basic(text: str) -> bool:
    """Whether it is what HTTP's Basic scheme sends (RFC 7617): a name and a password in base64."""
    try:
        return b":" in base64.b64decode(text, validate=True)
    except ValueError:
        return False


def _is_random(text: str) -> bool:
    """Whether it has letters and digits in a number that no word and no name of a gene has."""
    return len(text) >= 20 and len(_digits(text)) >= 2 and sum(letter.isalpha() for letter in text) >= 2


def _is_number(text: str) -> bool:
    """Whether it is long enough for a personal number, and not a span of years."""
    return 5 <= len(_digits(text)) <= 20 and not _YEARS.fullmatch(text)


_YEARS = re.compile(r"(?:19|20)\d\d[\-/](?:(?:19|20)\d\d|\d\d)")
_UNIT = r"(?!\s?(?:[mµnk]?g|m?[lL]|mL|IU|days?|weeks?|months?|years?|patients|cases|doses?)\b)"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATE = (
    rf"(?:\d{{1,2}}[./\- ]\d{{1,2}}[./\- ](?:\d{{4}}|\d{{2}})|\d{{4}}[./\-]\d{{1,2}}[./\-]\d{{1,2}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH},?\s+\d{{4}}|{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}})"
)
_AFTER = r"(?:\s*(?:number|no\b\.?|nr\b\.?|id\b|#))?\s*(?:[:=#]|is\b|was\b)?\s*"
_NUMBER_LABELS = (
    r"(?:MRN|SSN|NHS|(?:social\s+security|med(?:ical|\.)\s+rec(?:ord|\.)|health\s+record|hospital|chart|patient"
    r"|insurance|policy|member(?:ship)?"
    r"|passport|driver'?s?\s+licen[cs]e|licen[cs]e|(?:vehicle\s+)?plate|account|serial|case\s+record|social\s+insurance"
    r"|national\s+insurance|medicare|medicaid|tax)(?:\s+(?:number|no\b\.?|nr\b\.?|id\b|#))?)"
)
_SURE_LABELS = (
    r"(?:MRN|SSN|D\.?O\.?B\.?|date\s+of\s+birth|social\s+security\s+(?:number|no\b\.?)|medical\s+record\s+(?:number"
    r"|no\b\.?)"
    r"|NHS\s+(?:number|no\b\.?)|passport\s+(?:number|no\b\.?)|patient\s+(?:id|identifier)\b)"
)
_WORD = r"[A-ZÀ-ÖØ-Þ][\w'’\-]*[a-zß-öø-ÿ][\w'’\-]*"
_INITIALS = r"(?:[A-Z]\.\s*){0,3}"
_PERSON = (
    rf"{_INITIALS}{_WORD}(?:\s+[A-Z]\.)?(?:(?:\s+(?:van|von|de|der|den|di|la|le|el|al|bin)){{0,2}}\s+{_WORD}){{0,2}}"
)
_TWO = rf"{_WORD}(?:\s+[A-Z]\.?)?\s+{_WORD}"
_AT = r"(?:[@＠﹫]|%40|&#0*64;|&#[xX]0*40;|&commat;|\\u0040|\\x40|\s?[\[({<]\s?(?:at|AT|@)\s?[\])}>]\s?)"
_DOT = r"(?:\.|\s?[\[({]\s?(?:dot|DOT|\.)\s?[\])}]\s?)"
_STREET = (
    r"(?:Street|Road|Avenue|Lane|Boulevard|Drive|Court|Square|Terrace|Crescent|Highway|St\.?(?=,|$|\s+[A-Z])"
    r"|Rd\b\.?|Ave\b\.?"
    r"|Ln\b\.?|Blvd\b\.?)"
)
_STATE = r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY])"

FORMS: tuple[Form, ...] = (
    Form(
        EMAIL,
        re.compile(
            rf"(?:\"[^\"\s@][^\"@\n]{{0,62}}\"|[^\W_](?:[\w.+\-]|\\[_.+\-]|%2[Bb]){{0,63}}){_AT}"
            rf"[^\W_][\w\-]{{0,62}}(?:{_DOT}[^\W_][\w\-]{{0,62}})+"
        ),
        word=False,
    ),
    Form(
        EMAIL,
        re.compile(
            r"(?i)(?<![\w.])[a-z][\w.+\-]{1,62} (?:at|@) [a-z0-9][\w\-]{0,62}(?: dot [a-z][a-z0-9\-]{1,62})+(?!\w)"
        ),
        word=False,
    ),
    Form(
        PHONE,
        re.compile(
            r"(?<![\w+.,\-])(?:\+[1-9]\d{0,2}|00[1-9]\d{0,2}(?=[ \-/.(]))"
            r"(?:[ \-/]?\(0?\d{0,4}\))?(?:[ \-/.]\d(?=[ \-/.]\d))?(?:[ \-/.]?\d{2,}){1,6}(?:-\d{1,4})?"
            r"(?![\w\-]|[.,]\d)"
        ),
        _between(9, 15),
    ),
    Form(
        PHONE, re.compile(r"(?<![\w+.,\-/])\(?[2-9]\d{2}\)?[ \-.]\d{3}[ \-.]\d{4}(?![\w\-]|[.,]\d)"), _between(10, 10)
    ),
    Form(PHONE, re.compile(r"(?<![\w+.,\-/])\([2-9]\d{2}\)\d{3}[ \-.]?\d{4}(?![\w\-])"), _between(10, 10)),
    Form(PHONE, re.compile(r"(?<![\w+.,\-/:])[2-9]\d{2}[1-9]\d{6}(?![\w\-]|[.,]\d)")),
    Form(
        PHONE,
        re.compile(
            r"(?<![\w+.,\-/])(?!(?<=\d )0\d\d(?: \d{3})+(?!\d))\(?0\d{1,4}\)?(?:[ \-/]{1,2}\d{2,}){1,5}(?![\w\-]"
            r"|[.,]\d)"
        ),
        _between(9, 13),
    ),
    Form(PHONE, re.compile(r"(?<![\w+.,\-/])\(0\d{1,4}\)[ \-/]?\d{2,}(?:[ \-]\d{2,}){0,4}(?![\w\-])"), _between(8, 13)),
    Form(
        PHONE,
        re.compile(
            r"(?i)\b(?:tel(?:ephone|\.)?|phone|fax|mobile|cell(?:\s?phone)?|call|pager)\.?(?:\s+(?:number"
            r"|no\.?))?[:\s]+"
            r"(?:at\s+|on\s+)?(\+?\(?\d[\d ()./\-]{5,20}\d)(?![\w%])"
        ),
        _between(7, 15),
        group=1,
    ),
    # Without an area code seven digits are a range of pages or a count, too: only words before them tell.
    Form(
        PHONE,
        re.compile(
            r"(?i)(?:\b(?:reach(?:ed|able)?|contact(?:ed)?|dial(?:led)?|whatsapp|voicemail|rang)\b[^\d\n]{0,30}?(?:\bat\b|\bon\b|:)"
            r"|\b(?:her|his|my|their|our|your|contact|callback)\snumber\s(?:is|was)|\((?:home|work|h|w|m)\)|\b(?:home|work|office):)"
            r"\s*([2-9]\d{2}[ \-]\d{4})(?![\w\-%]|[.,]\d)"
        ),
        group=1,
    ),
    Form(PHONE, re.compile(r"(?<![\w+.,\-/])555[\-. ]\d{4}(?![\w\-%]|[.,]\d)")),
    Form(NUMBER, re.compile(r"(?<![\w\-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w\-])")),
    Form(NUMBER, re.compile(r"(?<![\w\-.,])\d{3}[ \-]\d{3}[ \-]\d{4}(?![\w\-])"), is_nhs),
    Form(NUMBER, re.compile(r"(?<![\w\-])\d{4}-\d{4}-\d{4}-\d{3}[\dX](?![\w\-])"), is_orcid),
    Form(
        NUMBER,
        re.compile(
            rf"(?i)\b{_NUMBER_LABELS}{_AFTER}(?-i:([A-Z]{{0,4}}-?\d[\dA-Z]*(?:[\-/ ]\d[\dA-Z]*)*(?:[\- ][A-Z]{{1,3}}\b)?"
            rf"|[A-Z]{{1,3}} \d{{1,4}} [A-Z]{{1,3}}\b|[A-Z]{{1,3}}-\d{{3,}}))(?![\w%]|\.\d){_UNIT}"
        ),
        _is_number,
        group=1,
    ),
    Form(NUMBER, re.compile(r"(?i)\bvehicle\s+plate\s+(?-i:([A-Z]{1,3} \d{1,4} [A-Z]{1,3}))\b"), group=1),
    Form(NUMBER, re.compile(r"(?i)\b(?:MRN|SSN)\s*[:=#]?\s*([\dA-Z][\dA-Z\-/]*\d)(?![\w%])"), _between(4, 20), group=1),
    Form(NUMBER, re.compile(r"(?i)/(?:patients?|persons?|subjects?|mrn)/([\w\-]*\d[\w\-]*)"), group=1),
    Form(
        BIRTH,
        re.compile(
            rf"(?i)\b(?:D\.?O\.?B\.?|date\s+of\s+birth|birth\s?da(?:te|y)|born|geboren|geb\.?"
            rf"|died|deceased|date\s+of\s+death|gestorben)(?:\s+(?:on|am|is"
            rf"|was))?[:\s]*({_DATE})"
        ),
        group=1,
    ),
    Form(
        ADDRESS,
        re.compile(
            rf"(?<![\w.,/])\d{{1,5}}[A-Za-z]?,?\s+(?:[A-Z][\w'’.\-]*\s+){{1,4}}{_STREET}(?:,\s*[A-Z][\w .'’\-]{{2,40}})?"
            rf"(?:,?\s+(?:{_STATE}\s+\d{{5}}(?:-\d{{4}})?|[A-Z]{{1,2}}\d[A-Z\d]?\s\d[A-Z]{{2}}))?"
        ),
    ),
    Form(
        ADDRESS,
        re.compile(
            r"\b[A-ZÄÖÜ][\wäöüß\-]{2,30}(?:straße|strasse|str\.|allee"
            r"|gasse)\s+\d{1,4}\s?[a-z]?(?:,\s*\d{5}\s+[A-ZÄÖÜ]\w+)?"
        ),
    ),
    Form(ADDRESS, re.compile(rf"\b[A-Z][\w.'’\-]+(?:\s[A-Z][\w.'’\-]+)?,\s+{_STATE}\s+\d{{5}}(?:-\d{{4}})?(?![\w\-])")),
    Form(
        ADDRESS,
        re.compile(r"(?<![\w\-])(?:[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?)\s\d[ABD-HJLNP-UW-Z]{2}(?![\w\-])"),
    ),
    Form(NETWORK, re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w\-]|\.\d)"), _is_address_of_network),
    Form(
        NETWORK,
        re.compile(r"(?<![\w:.])(?=[0-9a-fA-F]*:[0-9a-fA-F:]*:)[0-9a-fA-F:]{6,39}(?![\w:])"),
        _is_address_of_network,
    ),
    Form(NETWORK, re.compile(r"(?<![\w:\-])[0-9A-Fa-f]{2}(?:[:\-][0-9A-Fa-f]{2}){5}(?![\w:\-])")),
    Form(NETWORK, re.compile(r"(?i)(?:\bip(?:\s+address)?[:\s]+|://)(\d{1,3}(?:\.\d{1,3}){3})(?![\w.]\d)"), group=1),
    Form(ACCOUNT, re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)"), is_iban),
    Form(
        ACCOUNT,
        re.compile(
            r"(?<![\w.,\-])(?:\d{4}([ \-])\d{4}\1\d{4}\1\d{4}|\d{4}([ \-])\d{6}\2\d{5}|\d{13,19})(?![\w\-]|[.,]\d)"
        ),
        is_card,
    ),
    Form(
        TOKEN,
        re.compile(
            r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_\-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abprs]-[A-Za-z0-9\-]{10,}"
            r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_\-]{30,}|\bglpat-[A-Za-z0-9_\-]{16,}"
            r"|\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)?"
        ),
        word=False,
    ),
    Form(
        TOKEN,
        re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?s:.){1,10000}?(?:-----END [A-Z ]{0,40}-----|\Z)"),
        word=False,
    ),
    Form(
        TOKEN,
        re.compile(r"(?i)(?:\bbearer|\bauthorization[\"']?\s*[:=]\s*[\"']?basic)\s+([A-Za-z0-9._~+/=\-]{8,})"),
        _is_no_word,
        word=False,
        group=1,
    ),
    Form(TOKEN, re.compile(r"(?i)\bbasic\s+([A-Za-z0-9+/=]{8,})"), _is_basic, word=False, group=1),
    Form(
        TOKEN,
        re.compile(r"(?i)(?:\b|_)signature[\"']?\s*[=:]\s*[\"']?([^\s\"'&,;}]{6,})"),
        _is_random,
        word=False,
        group=1,
    ),
    Form(
        TOKEN,
        re.compile(
            r"(?i)(?:\b|_)(?:api[_\- ]?key|access[_\- ]?key(?:[_\- ]?id)?|private[_\- ]?key|access[_\- ]?token"
            r"|token|secret"
            r"|client[_\- ]?secret)[\"']?\s*[=:]\s*[\"']?([^\s\"'&,;}]{6,})"
        ),
        _is_no_word,
        word=False,
        group=1,
    ),
    Form(
        TOKEN,
        re.compile(r"(?i)(?:\b|_)(?:passw(?:or)?d|passphrase)[\"']?\s*[=:]\s*[\"']?([^\s\"'&,;}]{6,})"),
        word=False,
        group=1,
    ),
    Form(TOKEN, re.compile(r"(?i)\bapi(?:[_\- ]?key)?\s+([0-9a-f]{32,})\b"), group=1),
    Form(
        TOKEN,
        re.compile(r"(?i)\b[a-z][a-z0-9+.\-]{1,20}://([^\s/@:\"'<>]{1,64}:[^\s/@\"'<>]{1,128})@"),
        word=False,
        group=1,
    ),
    Form(
        PATH,
        re.compile(
            r"(?:(?<=file://)|(?<![\w.:/]))/(?:home|Users|root|mnt|media|srv|tmp|var|opt|data)/[^\s\"'<>|,;)\]}]+"
            r"|\b[A-Z]:\\[^\s\"'<>|]{3,}|\\\\[\w.\-]{1,64}\\[^\s\"'<>|]{1,}"
        ),
        word=False,
    ),
)
"""The forms whose matches are secrets as a whole."""

PEOPLE: tuple[re.Pattern[str], ...] = (
    re.compile(
        rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|Herrn?|Frau|Sir|Dame|Mme|Mlle|Monsieur|Madame"
        rf"|Se[nñ]ora?|Signora?|Fr)"
        rf"(?:\.\s*|\s+)(?:(?:Dr|med|Prof|dent|rer|nat|h\.\s?c)\.?\s+){{0,4}}({_PERSON})"
    ),
    re.compile(
        r"(?i)\b(?:patient'?s?(?:\s+name)?|name\s+of\s+(?:the\s+)?patient|principal\s+investigator|investigator"
        r"|contact(?:\s+person)?"
        rf"|physician|attending|surgeon|next\s+of\s+kin|witness|signed(?:\s+by)?|nurse|mother|father|wife"
        rf"|husband)\s*[:,]\s+(?-i:({_TWO}))"
    ),
    re.compile(
        rf"(?i)\b(?:contact|call|phone|e-?mail|write\s+to|ask\s+for)\s+(?-i:({_TWO}))(?=\s*(?:at|on|by|via|\(|,"
        rf"|<)\s*[+\w(]*[\d@])"
    ),
)
"""What comes before a person's name in a text."""

LEFT = re.compile(
    rf"(?i)\b{_SURE_LABELS}(?-i:\W{{0,4}}(?:is\b|was\b|number\b|no\b"
    rf"|nr\b)?\W{{0,3}}?([A-Za-z]{{0,4}}[\-/]?\d[\w\-/]{{2,}}))"
)
"""A label with something like a value behind it."""


def found(text: str) -> Iterator[tuple[str, str, bool]]:
    """The secrets of `text` by their form: text, kind, and whether it counts only where no letter or digit adjoins."""
    for form in FORMS:
        for match in form.pattern.finditer(text):
            secret = match.group(form.group)
            if secret and form.holds(secret):
                yield secret.strip(), form.kind, form.word


def people(text: str) -> Iterator[str]:
    """The names of persons in `text` that a title or a label announces."""
    for pattern in PEOPLE:
        yield from (match.group(1) for match in pattern.finditer(text))


def left(text: str, secrets: Collection[str]) -> Iterator[str]:
    """The labels of personal numbers and dates in `text` whose value is none of the `secrets` (in small letters)."""
    for match in LEFT.finditer(text):
        value = match.group(1).lower()
        if not any(value in secret or secret in value for secret in secrets):
            yield match.group()
