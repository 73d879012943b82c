"""What a text says of a mention: that it is there, absent, possible, or a relative's. The ConText algorithm, for prose.

As published, a trigger's scope reaches to the end of its clause. Articles and registry records deny much else than findings
("no effect on pain",
"no pain medication"), so a scope also ends where the words cannot belong to the denied thing any more:
what is denied is the head of a noun phrase behind the trigger, or of one in the list that begins there.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import chain, pairwise

from medkg_lab.stages.extract import context_words as words
from medkg_lab.stages.extract.folding import same_length_lower

Span = tuple[int, int]
_WORD = re.compile(r"\w+")
_CLAUSE_END = re.compile(r"[.!?](?=\s|$)|[;\n|]")
_TOKEN = re.compile(r"and/or|\w+(?:['’.-]\w+)*|[^\w\s]")
_PHRASE_ENDS = words.SEPARATORS | words.STOP | words.LINKS | words.NEUTRAL
_HANDING_ON = words.HEADS | words.LINKS
_IN_CONDITION = re.compile(r"\b(?:if|when|unless|until|whether|where)\b[^,;.\n]{0,60}$", re.IGNORECASE)
_BRACKETS = frozenset("()\"“”'")
_ITEM_WORDS = 6
"""Words that one item of a list may have before its finding."""
_SCOPE_CHARACTERS = 500
_SCALE_WINDOW = 110
_CONDITION_CHARACTERS = 70


class Assertion(Enum):
    """What is said of a mention."""

    PRESENT = "present"
    ABSENT = "absent"
    POSSIBLE = "possible"
    FAMILY = "family"


@dataclass(frozen=True, slots=True)
class Target:
    """A mention's half-open range of characters; a `finding` can be absent, an `exposure` (drug, procedure) not be given."""

    start: int
    end: int
    finding: bool
    exposure: bool = False


@dataclass(frozen=True, slots=True)
class _Token:
    """A word or mark in lower case; a mention is one token, with its target."""

    start: int
    end: int
    word: str
    target: Target | None = None


def assertions(text: str, targets: Sequence[Target]) -> dict[Target, Assertion]:
    """The targets of which `text` says something else than that they are there; `targets` are in order, none overlapping."""
    if not targets:
        return {}
    found = list(_anchors(text))
    return _Reading(text, targets, found).found if found else {}


def _anchors(text: str) -> Iterator[tuple[int, str]]:
    """The places of anchors, each with the word of it that says which triggers there may be."""
    lowered = same_length_lower(text)
    has_mark = any(mark in text for mark in words.NEGATIVE_MARKS)
    if not has_mark and words.ANCHOR_WORDS.isdisjoint(_WORD.findall(lowered)):
        return
    for word in _WORD.finditer(lowered):
        if word[0] in words.ANCHOR_WORDS and _is_anchor(text, word):
            yield word.start(), word[0]
    for mark in words.NEGATIVE_MARKS if has_mark else ():
        place = text.find(mark)
        while place >= 0:
            if words.ANCHOR.match(text, place):
                yield place, "no"
            place = text.find(mark, place + 1)


def _is_anchor(text: str, word: re.Match[str]) -> bool:
    """Whether an anchor stands where its word does: it begins there, or shortly before."""
    start = word.start()
    match word[0]:
        case "t":
            return text[start - 2 : start] in ("n'", "n’", "N'", "N’")
        case "case":
            return bool(words.ANCHOR.match(text, start - 3))
        case "negative" if text[start - 1 : start] == "-":
            return True
    return bool(words.ANCHOR.match(text, start))


class _Reading:
    """One text with the tokens of its clauses, read trigger by trigger; a later, more special one wins."""

    def __init__(self, text: str, targets: Sequence[Target], anchors: Sequence[tuple[int, str]]) -> None:
        self._text = text
        self._ends = [match.start() for match in _CLAUSE_END.finditer(text)]
        self._targets = targets
        self._anchors = anchors
        self.found: dict[Target, Assertion] = {}
        doubting, denying, kin = map(self._clauses, (words.DOUBTING, words.DENYING, words.KIN))
        possible = [
            *self._behind(words.POSSIBLE_BEFORE, doubting, adjacent=True),
            *self._before(words.POSSIBLE_AFTER, doubting),
            *self._conditions(doubting),
        ]
        self._mark(Assertion.POSSIBLE, [one for one in possible if one.finding])
        absent = [*self._behind(words.ABSENT_BEFORE, denying), *self._before(words.ABSENT_AFTER, denying)]
        unexposed = [one for one in self._behind(words.UNEXPOSED_BEFORE, denying) if one.exposure]
        self._mark(Assertion.ABSENT, [one for one in absent if one.finding and not self._is_anchor_of_scale(one)])
        self._mark(Assertion.ABSENT, unexposed)
        self._mark(Assertion.FAMILY, [*self._relatives(kin), *self._before(words.FAMILY_AFTER, kin)])

    def _mark(self, assertion: Assertion, targets: Iterable[Target]) -> None:
        for target in targets:
            self.found[target] = assertion

    def _behind(self, triggers: re.Pattern[str], clauses: Iterable[Span], adjacent: bool = False) -> Iterator[Target]:
        """Findings in the scopes behind triggers; an `adjacent` one reaches no further than its own noun phrase."""
        for match in self._matches(triggers, clauses):
            if not (self._is_pseudo(match) or self._is_formula(match) or self._is_conditional(match)):
                yield from _denied(self._tokens(match.end(), self._clause_end(match.end())), adjacent)

    def _before(self, triggers: re.Pattern[str], clauses: Iterable[Span]) -> Iterator[Target]:
        for match in self._matches(triggers, clauses):
            if not (self._is_pseudo(match) or self._is_conditional(match)):
                yield from _denied_before(self._tokens(self._clause_start(match.start()), match.start()))

    def _conditions(self, clauses: Iterable[Span]) -> Iterator[Target]:
        """Findings between `if` and a verb: `if fever develops`."""
        for match in self._matches(words.CONDITIONAL, clauses):
            tokens = self._tokens(match.end(), self._clause_end(match.end()))
            for token, following in pairwise(tokens):
                if token.target and token.target.finding and following.word in words.HAPPENS:
                    yield token.target

    def _relatives(self, clauses: Iterable[Span]) -> Iterator[Target]:
        """Findings behind the words for a relative, to the end of the clause."""
        for match in self._matches(words.FAMILY_BEFORE, clauses):
            for token in self._tokens(match.end(), self._clause_end(match.end())):
                if token.word in ("but", "patient", "he", "she"):
                    break
                if token.target and token.target.finding:
                    yield token.target

    def _is_pseudo(self, match: re.Match[str]) -> bool:
        return any(start < match.end() and match.start() < end for start, end in self._pseudo)

    def _is_conditional(self, match: re.Match[str]) -> bool:
        """Whether `if` or its like stands before the trigger: "if she has no fever"."""
        return bool(_IN_CONDITION.search(self._text, max(0, match.start() - _CONDITION_CHARACTERS), match.start()))

    def _is_formula(self, match: re.Match[str]) -> bool:
        """Whether `NO` is nitric oxide: in capitals among words that are not."""
        following = self._text[match.end() : match.end() + 3]
        return match[0] == "NO" and not following.strip().isupper()

    def _is_anchor_of_scale(self, target: Target) -> bool:
        start = max(self._text.rfind("\n", 0, target.start), target.start - _SCALE_WINDOW, 0)
        return bool(words.SCALE.search(self._text[start : target.end + _SCALE_WINDOW].partition("\n\n")[0]))

    def _matches(self, pattern: re.Pattern[str], clauses: Iterable[Span]) -> Iterator[re.Match[str]]:
        return chain.from_iterable(pattern.finditer(self._text, start, end) for start, end in clauses)

    def _clauses(self, of: frozenset[str]) -> list[Span]:
        """The clauses that hold one of these words of anchors: most have none, and cost nothing."""
        return list(dict.fromkeys(self._clause(place) for place, word in self._anchors if word in of))

    @cached_property
    def _pseudo(self) -> list[Span]:
        return [match.span() for match in self._matches(words.PSEUDO, self._clauses(words.ANCHOR_WORDS))]

    def _clause(self, place: int) -> Span:
        """The whole clause around `place`, its closing mark included."""
        number = bisect_left(self._ends, place)
        start = self._ends[number - 1] + 1 if number else 0
        return start, self._ends[number] + 1 if number < len(self._ends) else len(self._text)

    def _clause_end(self, place: int) -> int:
        limit = min(len(self._text), place + _SCOPE_CHARACTERS)
        return next((end for end in self._ends if place <= end < limit), limit)

    def _clause_start(self, place: int) -> int:
        limit = max(0, place - _SCOPE_CHARACTERS)
        return next((end + 1 for end in reversed(self._ends) if limit <= end < place), limit)

    def _tokens(self, start: int, end: int) -> list[_Token]:
        """The words and marks from `start` to `end`, a mention that lies within as one token."""
        tokens = []
        place = start
        for target in (*(one for one in self._targets if start <= one.start and one.end <= end), None):
            until = target.start if target else end
            for match in _TOKEN.finditer(self._text, place, until):
                tokens.append(_Token(match.start(), match.end(), match[0].lower()))
            if target:
                tokens.append(_Token(target.start, target.end, self._text[target.start : target.end].lower(), target))
                place = target.end
        return tokens


def _denied(tokens: Sequence[_Token], adjacent: bool = False) -> Iterator[Target]:
    """The targets at the heads of the list that begins with `tokens`."""
    gap: list[str] = []
    blocked = False
    depth = 0
    for number, token in enumerate(tokens):
        following = tokens[number + 1].word if number + 1 < len(tokens) else ""
        depth += (token.word == "(") - (token.word == ")")
        if depth > 0 or token.word in _BRACKETS:
            continue
        if token.target:
            is_last = number + 1 == len(tokens)
            is_head = is_last or _ends_phrase(tokens[number + 1], token.target)
            if is_head and not blocked and not _narrows(gap, token):
                yield token.target
                if adjacent:
                    return
            gap.append("")
        elif token.word in words.SEPARATORS:
            if token.word != "/" and following in words.STOP:
                return
            gap, blocked = [], False
        elif token.word in words.LINKS:
            if not gap or (gap[-1] not in _HANDING_ON and token.word != "of"):
                return
            blocked = blocked or gap[-1] not in _HANDING_ON
            gap.append(token.word)
        elif len(gap) > _ITEM_WORDS or _ends_scope(token.word, is_first=not number):
            return
        else:
            gap.append(token.word)


def _ends_scope(word: str, is_first: bool) -> bool:
    """Whether what is denied cannot go on with `word`."""
    is_verb = is_first and word.endswith("ing") and word not in words.GERUNDS
    return is_verb or word in words.STOP or (word == ":" and not is_first)


def _narrows(gap: Sequence[str], token: _Token) -> bool:
    """Whether the words before a target make it one sort of the thing: `mixed infection`."""
    return any(word in words.SELECTIVE for word in gap) or (
        token.word in words.GENERIC and bool(gap) and gap[-1] not in words.MODIFIERS
    )


def _ends_phrase(token: _Token, target: Target) -> bool:
    """Whether `token`, which stands behind `target`, leaves it the head of its phrase."""
    word = token.word
    return token.target is None and (
        not word[:1].isalpha()
        or word in _PHRASE_ENDS
        or (not target.finding and word in words.USES)
        or word.endswith(("ly", "ing", "ed"))
    )


def _denied_before(tokens: Sequence[_Token]) -> Iterator[Target]:
    """The targets at the end of `tokens` that are the subject of what follows: alone, or in a list."""
    found: list[Target] = []
    is_head = True
    for number, token in reversed(list(enumerate(tokens))):
        if token.target:
            if is_head:
                found.append(token.target)
            is_head = False
        elif token.word in words.SEPARATORS:
            is_head = True
        elif token.word in words.LINKS:
            if not number or tokens[number - 1].word not in _HANDING_ON:
                return
        elif token.word in words.PREPOSITIONS:
            return
        elif token.word in words.STOP:
            # What stands in a list behind a verb is its object: "He had fever, and cough was absent."
            found = found[:1]
            break
        elif is_head and token.word not in words.NEUTRAL and token.word not in _BRACKETS:
            is_head = False
    yield from found
