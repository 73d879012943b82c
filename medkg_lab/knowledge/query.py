"""The language of searches: plain words, phrases, AND, OR, NOT, `metf*`, `field:value` and parentheses.

Plain words rank: a passage need not hold all of them. Everything else is a condition that a document has to meet: a phrase in
quotes, a beginning with `*`, a field, NOT in front of something, and whatever AND or OR put together, its words included. Words
beside each other bind closer than AND, and AND closer than OR. Reading is pure; `knowledge.conditions` carries it out.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from medkg_lab.knowledge.errors import QueryBlank, QueryInvalid, QueryTooLong
from medkg_lab.knowledge.facts import FIELDS as FACT_FIELDS
from medkg_lab.knowledge.facts import BadValue, Fact

MAX_CHARACTERS = 16_384
MAX_CONDITIONS = 64
"""Conditions of one query at most: each is a search of its own."""
_MAX_DEPTH = 32
_SHORTEST_PREFIX = 2

TEXT_FIELDS = ("title", "section")
_OPERATORS = frozenset({"AND", "OR", "NOT"})
_ALIASES = {
    "au": "author",
    "authors": "author",
    "doi": "id",
    "pmid": "id",
    "pmc": "id",
    "pmcid": "id",
    "nct": "id",
    "has_results": "results",
    "sources": "source",
    "phases": "phase",
    "countries": "country",
}
FIELDS = tuple(sorted({*TEXT_FIELDS, *FACT_FIELDS, *_ALIASES}))

_SCHEMES = ("file", "mesh", "term")
"""What the lab's own ids begin with, those aside that are fields."""
# Ids come first: addresses and DOIs hold parentheses and colons of their own, and `PMID: 123` and `PMC 123` a space.
_TOKEN = re.compile(
    rf"""(?P<id>https?://\S+ | (?:doi:\s+)?10\.\d{{4,9}}/[^\s"“”]+ | (?:{"|".join(_SCHEMES)}):[^\s"“”]+
        | \b(?:PMCID|PMID|PMC|NCT)(?::\s+|\s)(?:PMC|NCT)?\d{{4,}}(?:\.\d+)?\b)
    | (?P<open>\() | (?P<close>\)) | ["“](?P<phrase>[^"”“]*)["”] | (?P<quote>["“”])
    | (?P<field>[a-z_]{{2,}}):(?=\S) | (?P<bare>[^\s"“”()]+)""",
    re.VERBOSE | re.IGNORECASE,
)
_VALUE = re.compile(r"""[^\s"“”()]+""")
_PREFIX = re.compile(r"(.*\w)\*")
_CLOSING = ".,;:!?]}"


class Kind(StrEnum):
    """How a term's text has to stand in a document."""

    WORD = "word"
    PHRASE = "phrase"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True)
class Term:
    """Text that has to stand in a passage, or with `field` in its document's title or above it in a heading."""

    text: str
    kind: Kind = Kind.WORD
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Not:
    """What must not be met; only within an And."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """All of it; `part`s that are Not exclude."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of it."""

    parts: tuple["Condition", ...]


Condition = Term | Fact | Not | And | Or


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it was read: the plain words that rank, and the condition that a document has to meet."""

    text: str
    plain: str
    condition: Condition | None = None

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms that are looked for, those behind a NOT aside."""
        return tuple(_wanted(self.condition)) if self.condition is not None else ()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class _Row:
    """Things beside each other, with where they begin."""

    parts: tuple["_Node", ...]


_Node = Condition | _Row


def read_plain(text: str) -> Query:
    """Take a text as plain words, whatever they are. Raises QueryBlank and QueryTooLong."""
    if len(text) > MAX_CHARACTERS:
        raise QueryTooLong(length=len(text), limit=MAX_CHARACTERS)
    if not text.strip():
        raise QueryBlank()
    return Query(text, " ".join(text.split()))


def read(text: str) -> Query:
    """Read a query. Raises QueryBlank, QueryTooLong, and QueryInvalid with the place of what cannot be read."""
    read_plain(text)
    tokens = list(_tokens(text))
    node = _Reader(text, tokens).read()
    plain: list[str] = []
    conditions: list[Condition] = []
    for part in node.parts if isinstance(node, _Row) else (node,):
        if (words := _plain_words(part)) is not None:
            plain += words
        else:
            conditions.append(_strict(part))
    if conditions and not plain and all(isinstance(one, Not) for one in conditions):
        raise QueryInvalid(position=1, detail="it only says what is not wanted; put before NOT what is looked for")
    condition = None if not conditions else conditions[0] if len(conditions) == 1 else And(tuple(conditions))
    if isinstance(condition, Not):
        condition = And((condition,))
    if condition is not None and (count := sum(1 for _ in _leaves(condition))) > MAX_CONDITIONS:
        raise QueryInvalid(position=1, detail=f"it has {count} conditions, and {MAX_CONDITIONS} are the most")
    return Query(text, " ".join(plain), condition)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while match := _TOKEN.search(text, at):
        kind, start, at = match.lastgroup or "", match.start(), match.end()
        found = match.group(kind)
        if kind == "quote":
            raise QueryInvalid(position=start + 1, detail="this quotation mark has no second one")
        if kind == "field" and not _is_field(found, start):
            found = _VALUE.findall(text, start)[0]
            kind, at = "bare", start + len(found)
        elif kind == "id":
            found, at = _without_closing(found, start)
        elif kind == "bare" and found in _OPERATORS:
            kind = found
        yield _Token(kind, found, start)


def _without_closing(found: str, start: int) -> tuple[str, int]:
    """An id without the punctuation behind it, and where to go on: at a parenthesis that was opened before the id."""
    kept = found.rstrip(_CLOSING)
    while kept.count(")") > kept.count("(") and kept.endswith(")"):
        kept = kept[:-1].rstrip(_CLOSING)
    closing = found.find(")", len(kept))
    return kept, start + (len(found) if closing < 0 else closing)


def _is_field(name: str, start: int) -> bool:
    """Whether a word with a colon behind it names a field. Raises QueryInvalid for a name in small letters that none has."""
    if name.lower() in FIELDS:
        return True
    if not name.islower():
        return False
    close = difflib.get_close_matches(name, FIELDS, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    names = ", ".join(FIELDS)
    detail = f"there is no field {name}.{meant} There are {names}; what is not a field needs a space behind the colon, or quotes"
    raise QueryInvalid(position=start + 1, detail=detail)


class _Reader:
    """Reads tokens by recursive descent."""

    def __init__(self, text: str, tokens: Sequence[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0

    def read(self) -> _Node:
        node = self._any_of(0, None)
        if self._kind:
            raise self._wrong("this parenthesis closes nothing")
        return node

    @property
    def _kind(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    def _next(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _wrong(self, detail: str, token: _Token | None = None) -> QueryInvalid:
        """What is wrong with a token, or at the place where the next one is or would be."""
        if token is None and self._at < len(self._tokens):
            token = self._tokens[self._at]
        return QueryInvalid(position=(len(self._text) if token is None else token.start) + 1, detail=detail)

    def _any_of(self, depth: int, field: str | None) -> _Node:
        if depth > _MAX_DEPTH:
            raise self._wrong(f"more than {_MAX_DEPTH} parentheses are within each other")
        parts = [self._all_of(depth, field)]
        while self._kind == "OR":
            self._next()
            parts.append(self._all_of(depth, field))
        if len(parts) == 1:
            return parts[0]
        return Or(tuple(self._positive(part) for part in parts))

    def _positive(self, part: _Node) -> Condition:
        condition = _strict(part)
        excluded = condition.parts if isinstance(condition, And) else (condition,)
        if all(isinstance(one, Not) for one in excluded):
            raise QueryInvalid(
                position=self._text.index("NOT") + 1, detail="NOT cannot stand alone beside OR; write `a AND NOT b`"
            )
        return condition

    def _all_of(self, depth: int, field: str | None) -> _Node:
        parts = [self._row(depth, field)]
        while self._kind == "AND":
            self._next()
            parts.append(self._row(depth, field))
        return parts[0] if len(parts) == 1 else And(tuple(_strict(part) for part in parts))

    def _row(self, depth: int, field: str | None) -> _Node:
        parts: list[_Node] = []
        while self._kind not in ("", "AND", "OR", "close"):
            parts.append(self._one(depth, field))
        if not parts:
            raise self._wrong("something to look for is missing here")
        return parts[0] if len(parts) == 1 else _Row(tuple(parts))

    def _one(self, depth: int, field: str | None) -> _Node:
        token = self._next()
        match token.kind:
            case "NOT":
                return Not(_strict(self._negated(token, depth, field)))
            case "open":
                return self._group(token, depth, field)
            case "field":
                return self._fielded(token, depth)
            case "phrase":
                return self._leaf(token, field, Kind.PHRASE)
            case "id":
                return self._leaf(token, field, Kind.WORD)
            case _:
                return self._bare(token, field)

    def _negated(self, token: _Token, depth: int, field: str | None) -> _Node:
        if self._kind in ("", "AND", "OR", "close"):
            raise self._wrong("NOT is followed by nothing", token)
        if self._kind == "NOT":
            raise self._wrong("NOT follows NOT")
        return self._one(depth, field)

    def _group(self, token: _Token, depth: int, field: str | None) -> _Node:
        if self._kind == "close":
            raise self._wrong("there is nothing between these parentheses", token)
        node = self._any_of(depth + 1, field)
        if self._kind != "close":
            raise self._wrong("this parenthesis is not closed", token)
        self._next()
        return node

    def _fielded(self, token: _Token, depth: int) -> _Node:
        name = token.text.lower()
        field = _ALIASES.get(name, name)
        if self._kind not in ("open", "phrase", "id", "bare"):
            raise self._wrong(f"{name}: has no value", token)
        value = self._next()
        match value.kind:
            case "open":
                return self._group(value, depth, field)
            case "phrase":
                return self._leaf(value, field, Kind.PHRASE)
            case "id":
                return self._leaf(value, field, Kind.WORD)
            case _:
                return self._bare(value, field)

    def _bare(self, token: _Token, field: str | None) -> _Node:
        if token.text.endswith("*"):
            match = _PREFIX.fullmatch(token.text)
            if match is None or len(match.group(1)) < _SHORTEST_PREFIX:
                detail = f"a * needs the first {_SHORTEST_PREFIX} letters of a word in front of it"
                raise self._wrong(detail, token)
            return self._leaf(replace(token, text=match.group(1)), field, Kind.PREFIX)
        return self._leaf(token, field, Kind.WORD)

    def _leaf(self, token: _Token, field: str | None, kind: Kind) -> Term | Fact:
        if field is None or field in TEXT_FIELDS:
            if kind is Kind.PHRASE and not any(letter.isalnum() for letter in token.text):
                raise self._wrong("there is no word between these quotation marks", token)
            return Term(token.text, kind, field)
        try:
            return Fact.read(field, token.text, is_prefix=kind is Kind.PREFIX)
        except BadValue as error:
            raise self._wrong(str(error), token) from None


def _plain_words(node: _Node) -> list[str] | None:
    """The words of a node that only ranks; None for one that is a condition."""
    if isinstance(node, Term):
        return [node.text] if node.kind is Kind.WORD and node.field is None else None
    if isinstance(node, _Row):
        found = [_plain_words(part) for part in node.parts]
        words = [word for part in found if part is not None for word in part]
        return words if None not in found else None
    return None


def _strict(node: _Node) -> Condition:
    """The node as a condition: what stands beside each other has to be met together."""
    return And(tuple(_strict(part) for part in node.parts)) if isinstance(node, _Row) else node


def _wanted(condition: Condition) -> Iterator[Term]:
    if isinstance(condition, Term):
        yield condition
    elif isinstance(condition, And | Or):
        for part in condition.parts:
            yield from _wanted(part)


def _leaves(condition: Condition) -> Iterator[Term | Fact]:
    match condition:
        case Not(part):
            yield from _leaves(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from _leaves(part)
        case _:
            yield condition
