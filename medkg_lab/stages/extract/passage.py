"""How a passage speaks of what it mentions: as a plain mention, an absence, a possibility, a relative's, or an exclusion."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence

from medkg_lab.models.documents import Chunk, Mention
from medkg_lab.stages.extract.context import Assertion, Target, assertions
from medkg_lab.stages.extract.exclusions import Exclusions

MENTIONS = "MENTIONS"
EXCLUDES = "EXCLUDES"
RELATIONS = {
    Assertion.PRESENT: MENTIONS,
    Assertion.ABSENT: "MENTIONS_ABSENCE_OF",
    Assertion.POSSIBLE: "MENTIONS_POSSIBLE",
    Assertion.FAMILY: "MENTIONS_IN_FAMILY",
}
FINDINGS = frozenset({"disease", "symptom", "finding"})
"""Kinds of node that a patient can have or not have."""
EXPOSURES = frozenset({"drug", "drug class", "chemical", "procedure", "intervention"})
"""Kinds that a patient can have been given or not."""
_EVIDENCE_CHARACTERS = 240
_SENTENCE_END = re.compile(r"[.!?]\s|\n")


class Passage:
    """One chunk with its mentions in order; `kinds` has the kind of every node, `studied` what the document itself studies."""

    def __init__(
        self, chunk: Chunk, mentions: Sequence[Mention], kinds: Mapping[str, str], studied: Collection[str]
    ) -> None:
        self._text = chunk.text
        self._mentions = mentions
        self._studied = studied
        self._targets = [
            Target(one.start, one.end, kinds[one.node_id] in FINDINGS, kinds[one.node_id] in EXPOSURES)
            for one in mentions
        ]
        self._assertions = assertions(chunk.text, self._targets)
        self._exclusions = Exclusions(chunk.text, chunk.section)
        self._ends = [match.end() for match in _SENTENCE_END.finditer(chunk.text)]

    def relations(self) -> Iterator[tuple[Mention, str]]:
        """Each mention with the document's relation to it; a document neither denies nor excludes what it studies."""
        for mention, target in zip(self._mentions, self._targets, strict=True):
            yield mention, MENTIONS if mention.node_id in self._studied else self._relation(target)

    def _relation(self, target: Target) -> str:
        found = self._assertions.get(target, Assertion.PRESENT)
        if found in (Assertion.PRESENT, Assertion.POSSIBLE) and self._exclusions.excludes(
            target.start, target.end, target.finding
        ):
            return EXCLUDES
        return RELATIONS[found]

    def sentence(self, start: int, end: int) -> str:
        """The sentence around a mention, cut to `_EVIDENCE_CHARACTERS` with the mention inside."""
        text, ends = self._text, self._ends
        half = (_EVIDENCE_CHARACTERS - min(end - start, _EVIDENCE_CHARACTERS)) // 2
        left, right = max(0, start - half), min(len(text), end + half)
        before, after = bisect_right(ends, start) - 1, bisect_left(ends, end + 1)
        if before >= 0 and ends[before] > left:
            left = ends[before]
        elif left:
            left = text.find(" ", left, start) + 1 or left
        if after < len(ends) and ends[after] <= right:
            right = ends[after]
        return text[left:right].strip()
