"""What in a text tells of a person or opens a door, and what stands for it after redaction. Pure.

A pseudonym has the shape of what it stands for: as many characters, letters for letters and digits for digits, so that every
offset into a text stays right. It is different at every letter and digit, and the same wherever the same secret stands.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import ahocorasick

from medkg_lab.repro import redaction_patterns
from medkg_lab.repro.redaction_patterns import BIRTH, NAME, NUMBER, PHONE

_NAME_KEYS = frozenset({"investigatorfullname", "surname", "given_names", "given-names", "given", "family", "creator"})
_ACTOR_KEY = "by"
"""Who did something in the lab: a person's account, unless it is one of the lab's own processes."""
_PROCESSES = re.compile(r"(?:ledger|pdf|repro|dagster|labd|engine)\b.*")
_PERSON_KEYS = frozenset(
    {"patient", "patientname", "patient_name", "investigator", "physician", "reportedby", "reported_by"}
)
_BIRTH_KEYS = frozenset({"birthdate", "birth_date", "dateofbirth", "date_of_birth", "dob"})
_NUMBER_KEYS = frozenset(
    {
        "mrn",
        "ssn",
        "nhsnumber",
        "nhs_number",
        "patientid",
        "patient_id",
        "medicalrecordnumber",
        "medical_record_number",
        "passport",
    }
)
_PHONE_KEYS = frozenset({"phone", "telephone", "phoneext", "fax", "mobile"})
_PEOPLE = frozenset(
    {
        "overallofficials",
        "officials",
        "centralcontacts",
        "contacts",
        "pointofcontact",
        "authors",
        "author",
        "contributors",
        "investigators",
    }
)
_PEOPLE_NAMES = frozenset({"name", "fullname", "full_name", "literal"})
_XML_NAMES = re.compile(r"<(surname|given-names|string-name|prefix|suffix)\b[^>]*>([^<]{2,200})</\1>")
_FULL_NAME = re.compile(r"(?:[^\W\d_][\w.'’\-]*,?\s*){1,5}")
_DEGREES = frozenset(
    {
        *(
            "MD",
            "PhD",
            "MSc",
            "MPH",
            "RN",
            "DO",
            "MBBS",
            "MBChB",
            "FRCP",
            "FRCS",
            "BSc",
            "MA",
            "MS",
            "DDS",
            "DMD",
            "PharmD",
        ),
        *("DPhil", "DrPH", "MBA", "ScD", "EdD", "PsyD", "BN", "NP", "PA", "Dr", "Prof", "Jr", "Sr", "II", "III"),
    }
)
"""What stands beside a name and is none."""
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_ANY_CASE = 4
"""Letters of a name from which on it is meant in any case; a shorter one, such as `Li`, only as it is written."""


_BLANKS = dict.fromkeys(map(ord, "\t\n\r\x0b\x0c\xa0"), " ")


_TURNS = 50
"""How often another pseudonym is looked for when one happens to be a secret itself."""


@dataclass(frozen=True)
class Secret:
    """A text that must not survive, and what it is. A `word` counts only where no letter or digit adjoins it.

    `spoken` says that it was found in a sentence: it counts only as it is written, and not where it is an ordinary word.
    """

    text: str
    kind: str
    word: bool = False
    spoken: bool = False


def in_text(text: str) -> set[Secret]:
    """The secrets that a text shows by their form."""
    found = {Secret(secret, kind, word) for secret, kind, word in redaction_patterns.found(text)}
    for name in redaction_patterns.people(text):
        found |= {replace(one, spoken=True) for one in _name(name)}
    for match in _XML_NAMES.finditer(text):
        found |= _name(match.group(2))
    return {one for one in found if any(letter.isalnum() for letter in one.text)}


def in_value(value: Any, within: str = "") -> set[Secret]:
    """The secrets of a JSON value: by form anywhere, and by place in known fields."""
    found: set[Secret] = set()
    match value:
        case dict():
            for key, inner in value.items():
                name = str(key)
                found |= in_text(name)
                found |= _by_place(name.lower(), inner, within)
                found |= in_value(inner, name.lower())
        case list():
            for inner in value:
                if isinstance(inner, str) and within in _PEOPLE:
                    found |= _name(inner)
                found |= in_value(inner, within)
        case str():
            found |= in_text(value)
        case _:
            pass
    return found


def _by_place(key: str, value: Any, within: str) -> set[Secret]:
    if not isinstance(value, str) or not value.strip():
        return set()
    if key in _NAME_KEYS or (key in _PEOPLE_NAMES and within in _PEOPLE):
        return _name(value)
    if key in _PERSON_KEYS and _FULL_NAME.fullmatch(value.strip()):
        return _name(value)
    if key in _BIRTH_KEYS or key in _NUMBER_KEYS:
        kind = BIRTH if key in _BIRTH_KEYS else NUMBER
        return {Secret(value.strip(), kind, word=True)} if any(letter.isdigit() for letter in value) else set()
    if key == _ACTOR_KEY and not _PROCESSES.fullmatch(value):
        return {Secret(value.strip(), NAME, word=True)}
    if key in _PHONE_KEYS and sum(letter.isdigit() for letter in value) >= 5:
        return {Secret(value.strip(), PHONE)}
    return set()


def _name(text: str) -> set[Secret]:
    """The parts of a person's name but for initials and degrees: a source may give it whole, in parts, or reversed."""
    return {Secret(part, NAME, word=True) for part in _WORD.findall(text) if len(part) > 1 and part not in _DEGREES}


class Pseudonyms:
    """What stands for each of `secrets`; `key` makes it impossible to find a secret by trying.

    `spared` are words, folded, that are no secrets by themselves although they are part of a name. `own` are words in small
    letters that formats use, such as `page`: a name that is the same word counts only as it is written, such as `Page`.
    `ordinary` are words in small letters that texts use: what was only found in a sentence and is one of them is not a name.
    """

    def __init__(
        self,
        secrets: Iterable[Secret],
        key: bytes,
        spared: frozenset[str] = frozenset(),
        own: frozenset[str] = frozenset(),
        ordinary: frozenset[str] = frozenset(),
    ) -> None:
        self._key = key
        kept = {one for one in secrets if not (one.spoken and one.text.lower() in ordinary)}
        self.secrets = sorted(
            {one for one in kept if not (one.word and (one.text.casefold() in spared or one.text in own))},
            key=lambda one: (-len(one.text), one.text, one.kind),
        )
        self._texts = {one.text.lower() for one in self.secrets}
        self.counts: dict[str, int] = {}
        self._automaton = ahocorasick.Automaton()
        for one in reversed(self.secrets):
            as_written = one.kind == NAME and (one.spoken or len(one.text) < _ANY_CASE or one.text.lower() in own)
            exact = one.text if one.word and as_written else ""
            self._automaton.add_word(_folded(one.text), (len(one.text), one.kind, one.word, exact))
        self._automaton.make_automaton()

    def applied(self, text: str) -> str:
        """`text` without the secrets."""
        parts, reached = [], 0
        for start, end, kind in self._found(text):
            self.counts[kind] = self.counts.get(kind, 0) + 1
            parts += [text[reached:start], self._replaced(text[start:end], kind)]
            reached = end
        return "".join([*parts, text[reached:]])

    def survivors(self, text: str) -> list[str]:
        """The secrets that are still in `text`."""
        return [text[start:end] for start, end, _ in self._found(text)]

    def _found(self, text: str) -> list[tuple[int, int, str]]:
        """The secrets in `text` by their place, the longest first where several begin, and none within another."""
        if not self.secrets:
            return []
        matches = []
        for last, (length, kind, word, exact) in self._automaton.iter(_folded(text)):
            start, end = last - length + 1, last + 1
            within = word and (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())
            if not within and text.startswith(exact, start):
                matches.append((start, -end, kind))
        chosen, reached = [], 0
        for start, negative_end, kind in sorted(matches):
            if start >= reached:
                chosen.append((start, -negative_end, kind))
                reached = -negative_end
        return chosen

    def _replaced(self, text: str, kind: str) -> str:
        if kind == NAME:
            return _WORD.sub(lambda match: self.pseudonym_of(match.group()), text)
        return self.pseudonym_of(text)

    def pseudonym_of(self, text: str) -> str:
        """The pseudonym of `text`: the same but for case whatever the case of its letters, and whether or not it is escaped."""
        meant = text.replace("\\", "")
        for turn in range(_TURNS):
            stream = iter(hashlib.shake_256(self._key + bytes([turn]) + meant.lower().encode()).digest(len(meant)))
            found = "".join(letter if letter == "\\" else _other(letter, next(stream)) for letter in text)
            if found.lower() not in self._texts:
                break
        return found


def _other(letter: str, chance: int) -> str:
    """Another letter for a letter, another digit for a digit, and everything else as it is."""
    if letter.isdigit():
        base = int(letter) if letter in "0123456789" else 0
        return str((base + 1 + chance % 9) % 10)
    if letter.isalpha():
        small = letter.lower()
        base = ord(small) - ord("a") if "a" <= small <= "z" else 0
        shifted = chr(ord("a") + (base + 1 + chance % 25) % 26)
        return shifted.upper() if letter.isupper() else shifted
    return letter


def _folded(text: str) -> str:
    """`text` in small letters with plain blanks, as long as before."""
    small = text.lower()
    if len(small) != len(text):
        small = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    return small.translate(_BLANKS)
