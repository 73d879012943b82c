"""Claims that sentences state, without a language model: two mentions in one of the patterns, and nothing that takes it back.

A claim is not made of a sentence that hedges, asks or plans, nor of a mention that ConText finds absent, possible or a
relative's. Titles, criteria and lists of outcomes state nothing.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import ahocorasick

from medkg_lab.models.documents import Chunk, Document, Edge, Mention, Node
from medkg_lab.stages.extract.claim_rules import (
    ASSOCIATED_WITH,
    EXPOSURE,
    FINDING,
    MARKS,
    RULES,
    SUBSTANCE,
    Rule,
)
from medkg_lab.stages.extract.context import Assertion, Target, assertions
from medkg_lab.stages.extract.folding import same_length_lower

_KINDS = {
    "disease": FINDING,
    "symptom": FINDING,
    "finding": FINDING,
    "drug": EXPOSURE,
    "drug class": EXPOSURE,
    "chemical": EXPOSURE,
    "procedure": EXPOSURE,
    "intervention": EXPOSURE,
    "comparator": EXPOSURE,
    "protein": SUBSTANCE,
}
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
_NO_END = ("vs", "al", "sp", "Fig", "e.g", "i.e")
"""Abbreviations whose point ends no sentence."""
_NO_END_AFTER = re.compile(r"\b(?:vs|al|sp|Fig|e\.g|i\.e)$")
_TRIGGERS = (
    "treat manag therap relie allev amelior cure induc provo evok caus due_to secondary_to attribut produc trigger"
    " leads_to lead_to leds_to led_to result reduc decreas lower dimin attenu suppress prevent associat correlat linked"
    " related risk_factor predictor compar vs versus superior inferior equivalent better worse more less effective"
)
"""Of these a sentence with a claim has one, in lower case; `_` is a space."""
_HEDGE = re.compile(
    r"\b(?:may|might|could|would|should|possibl[ey]|possibility|potential(?:ly)?|hypothes\w+|whether|suggest\w*|aim(?:s|ed)?"
    r"|objectives?|purpose|unclear|unknown|uncertain|controversial|if|perhaps|probabl[ey]|likely|speculat\w+|suspect\w*"
    r"|propos\w+"
    r"|presum\w+|thought|believed|assum\w+|claimed|question|expected|designed to|intended|plan(?:s|ned)?"
    r"|(?:to|will) (?:\w+ )?(?:investigate|evaluate|assess|examine|determine|explore|test|study|compare|see|find|analy[sz]e"
    r"|measure|identify)|investigat(?:es?|ing)|evaluat(?:es?|ing)|assess(?:es|ing)?|examin(?:es?|ing)|will|can be "
    r"(?:considered)"
    r"|apparent(?:ly)?|seem(?:s|ed)?|appear(?:s|ed)?|promising|candidates?|e\.g\.? if|in order to|attempt\w*|goal"
    r"|versus no)\b|\?",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:no|not|cannot|neither|nor|never|without|fail(?:s|ed|ure to)?|lack(?:s|ed|ing)?|unable|ineffective|unlikely|little"
    r"|rarely|hardly|absence|rather than|instead of|n['’]t|\w+n['’]t|independent of|regardless|contrary|unrelated)\b",
    re.IGNORECASE,
)
_LESS = re.compile(
    r"\b(?:encoding|low|lower|loss of|deficien\w+ (?:of|in)|reduced|decreased|inhibit\w+(?: of)?|absent|antagonis\w+ "
    r"(?:of|to)|block\w* of"
    r"|blocking|withdrawal (?:of|from)|deplet\w+(?: of)?|antibod(?:y|ies) (?:to|against)|resistance to|response to"
    r"|discontinu\w+(?: of)?)[ -]$",
    re.IGNORECASE,
)
"""What stands before a name and turns its effect round."""
_PREPOSITION = re.compile(
    r"\b(?:of|to|for|in|by|after|before|than|on|between|from|during|against|following|into|versus|vs\.?|via|through|with)"
    rf" (?:(?!(?:and|or|that|which|the results?)\b)[\w{MARKS}-]+ ){{0,2}}$",
    re.IGNORECASE,
)
_TIMED = re.compile(r"\b(?:prior to|previous to|subsequent to|before|after|following) (?:[\w-]+ ){0,4}$", re.IGNORECASE)
_GIVING = re.compile(
    r"\b(?:use|administration|injections?|infusions?|treatment|therapy|intake|effects?|doses?|exposure|supplementation"
    r"|addition|course"
    r"|courses|consumption|ingestion|prophylaxis|treated|cases|cause|causes|incidence|severity|risk|amounts?|levels?) "
    r"(?:of|with|to|by)"
    r" (?:[\w-]+ ){0,2}$|^\W*(?:in|for|by|to) (?:[\w-]+ ){0,2}$",
    re.IGNORECASE,
)
_MEASURE = re.compile(
    r"(?:rate|pressure|index|score|scale|test|count|measurement|volume|output|time|analysis)s?$", re.IGNORECASE
)
"""Ends of names of procedures that are read and not given."""
_SILENT = re.compile(r"criteria|eligibility|outcome|reference|title|identification|keyword|conditions", re.IGNORECASE)
_LONGEST_SENTENCE = 600
_LONGEST_CLAIM = 160
_TRIGGERED = -1
"""Stands among the numbers of rules for a word that may open a claim."""


@dataclass(frozen=True, slots=True)
class StatedClaim:
    """Two mentions of a passage, what its sentence states of them, the rule that read it, and the sentence's range."""

    source: Mention
    relation: str
    target: Mention
    rule: str
    start: int
    end: int


def stated_claims(
    chunk: Chunk, mentions: Sequence[Mention], kinds: Mapping[str, str], title: str
) -> Iterator[StatedClaim]:
    """The claims of a passage; `mentions` are its own, in order, `kinds` has the kind of every node."""
    if chunk.kind != "text" or any(_SILENT.search(heading) for heading in chunk.section):
        return
    text = chunk.text
    usable = [one for one in mentions if kinds[one.node_id] in _KINDS and not _is_read(one, kinds)]
    if len(usable) < 2:
        return
    words = _scanner().words_in(same_length_lower(text))
    start = 0
    for end in _sentence_ends(text):
        inside = [one for one in usable if start <= one.start and one.end <= end]
        if len(inside) > 1 and end - start <= _LONGEST_SENTENCE:
            triggered, rules = words.between(start, end)
            if triggered and rules and text[start:end].strip() != title:
                yield from _of_sentence(text, start, end, inside, kinds, rules)
        start = end


def _sentence_ends(text: str) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(text):
        place = match.start()
        is_abbreviation = text.endswith(_NO_END, 0, place) and _NO_END_AFTER.search(text, max(0, place - 4), place)
        if text[place] == "\n" or not is_abbreviation:
            yield match.end()
    yield len(text)


class _Scanner:
    """The words of all rules, and the triggers, looked for in one pass."""

    def __init__(self) -> None:
        numbers: dict[str, set[int]] = {word.replace("_", " "): {_TRIGGERED} for word in _TRIGGERS.split()}
        for number, rule in enumerate(RULES):
            for word in rule.words:
                numbers.setdefault(word, set()).add(number)
        self._automaton = ahocorasick.Automaton()
        for word, found in numbers.items():
            self._automaton.add_word(word, (len(word), frozenset(found)))
        self._automaton.make_automaton()

    def words_in(self, lowered: str) -> "_Words":
        """Where words end in a text in lower case."""
        return _Words([(last + 1, *found) for last, found in self._automaton.iter(lowered)])


class _Words:
    """The words of a text in order of their ends: end, length, and the numbers of the rules that it is of."""

    def __init__(self, found: list[tuple[int, int, frozenset[int]]]) -> None:
        self._found = found
        self._ends = [end for end, _, _ in found]

    def between(self, start: int, end: int) -> tuple[bool, tuple[Rule, ...]]:
        """Whether a trigger stands in the range, and the rules of which a word does, in their order."""
        numbers: set[int] = set()
        for last, length, of in self._found[bisect_right(self._ends, start) : bisect_right(self._ends, end)]:
            if last - length >= start:
                numbers |= of
        triggered = _TRIGGERED in numbers
        return triggered, tuple(RULES[number] for number in sorted(numbers - {_TRIGGERED})) if triggered else ()


@cache
def _scanner() -> _Scanner:
    return _Scanner()


def _is_read(mention: Mention, kinds: Mapping[str, str]) -> bool:
    return kinds[mention.node_id] == "procedure" and bool(_MEASURE.search(mention.text))


def claim_edges(
    document: Document, chunks: Sequence[Chunk], mentions: Sequence[Mention], nodes: Mapping[str, Node]
) -> Iterator[Edge]:
    """The claims of a document's passages as edges, each sentence's once though passages overlap."""
    kinds = {node_id: node.kind for node_id, node in nodes.items()}
    by_chunk = {chunk_id: list(group) for chunk_id, group in groupby(mentions, key=lambda one: one.chunk_id)}
    made: set[tuple[str, str, str, str]] = set()
    for chunk in chunks:
        for claim in stated_claims(chunk, by_chunk.get(chunk.chunk_id, ()), kinds, document.title):
            evidence = chunk.text[claim.start : claim.end]
            key = (claim.source.node_id, claim.relation, claim.target.node_id, evidence)
            if key not in made:
                made.add(key)
                yield Edge(
                    source=key[0],
                    relation=key[1],
                    target=key[2],
                    doc_id=document.doc_id,
                    chunk_id=chunk.chunk_id,
                    start=claim.start,
                    end=claim.end,
                    evidence=evidence,
                    rule=claim.rule,
                )


def _of_sentence(
    text: str, start: int, end: int, mentions: Sequence[Mention], kinds: Mapping[str, str], candidates: Sequence[Rule]
) -> Iterator[StatedClaim]:
    """The claims of a sentence by rules that could match it: each has one of its words there."""
    there = {_KINDS[kinds[one.node_id]] for one in mentions}
    rules = [rule for rule in candidates if rule.marks <= there]
    if not rules:
        return
    masked, at = _masked(text, start, end, mentions, kinds)
    if _DENIAL.search(masked):
        return
    if _HEDGE.search(masked):
        rules = [rule for rule in rules if rule.hedged]
    states = None
    for rule in rules:
        for match in rule.pattern.finditer(masked):
            source, target = at[match.start("a")], at[match.start("b")]
            if source.node_id == target.node_id or len(match[0]) > _LONGEST_CLAIM:
                continue
            before = masked[: match.start("a")]
            if rule.relation != ASSOCIATED_WITH and _LESS.search(before):
                continue
            if match.start("a") == match.start() and not rule.attributive and _is_object(before):
                continue
            if states is None:
                states = _denied(text, mentions, kinds)
            if not {source.start, target.start} & states:
                first = start + len(text[start:end]) - len(text[start:end].lstrip())
                yield StatedClaim(
                    source, rule.relation, target, rule.name, first, start + len(text[start:end].rstrip())
                )


def _is_object(before: str) -> bool:
    """Whether what follows hangs on a preposition and is no subject: `bypass of X reduces`, not `treatment with X reduces`."""
    if _TIMED.search(before):
        return True
    return bool(_PREPOSITION.search(before)) and not _GIVING.search(before)


def _masked(
    text: str, start: int, end: int, mentions: Sequence[Mention], kinds: Mapping[str, str]
) -> tuple[str, dict[int, Mention]]:
    """The sentence with one character for each mention, and the mentions by the place of theirs."""
    parts: list[str] = []
    at: dict[int, Mention] = {}
    size, place = 0, start
    for mention in mentions:
        parts += (text[place : mention.start], _KINDS[kinds[mention.node_id]])
        size += mention.start - place
        at[size] = mention
        size += 1
        place = mention.end
    return "".join((*parts, text[place:end])).replace("\n", " "), at


def _denied(text: str, mentions: Sequence[Mention], kinds: Mapping[str, str]) -> set[int]:
    """Where mentions begin of which the text says that they are absent, only possible, or a relative's."""
    targets = [Target(one.start, one.end, _KINDS[kinds[one.node_id]] == FINDING, False) for one in mentions]
    return {target.start for target, said in assertions(text, targets).items() if said is not Assertion.PRESENT}
