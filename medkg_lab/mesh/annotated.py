"""What annotated abstracts teach a vocabulary: names that authors use, and terms that mean nothing particular in running
text. Pure.

The names come from people's annotations (PubTator format). A name is learnt where most of its occurrences are annotated with
one id; a
term of the vocabulary that stands in the abstracts repeatedly and is hardly ever annotated is dropped.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import ahocorasick

from medkg_lab.mesh.pubtator import Abstract
from medkg_lab.stages.extract.folding import fold, normalise
from medkg_lab.stages.extract.vocabulary import Concept

_LEAST_SHARE = 0.5
"""Of a name's occurrences this many must be annotated with its id."""
_SHORTEST = 3
_IDLE_OCCURRENCES = 3
_IDLE_SHARE = 0.2
_CHEMICAL = "Chemical"
_JUDGED = {"chemical": True, "drug": True, "disease": False, "symptom": False}
"""Kinds of concept that corpora annotate, and whether it is the chemicals."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Learnt names with their ids, and how often what was looked for occurs and is annotated."""

    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    """MeSH id and spelling by folded name."""
    kinds: dict[str, str] = field(default_factory=dict)
    """Kinds of the ids."""
    idle: frozenset[str] = frozenset()
    """Folded terms that are hardly ever annotated."""


def learnt(concepts: Iterable[Concept], abstracts: Sequence[Abstract]) -> list[Concept]:
    """`concepts` with the names that `abstracts` teach and without the terms that they show to be idle."""
    given = list(concepts)
    if not abstracts:
        return given
    lexicon = learn(abstracts, given)
    added: defaultdict[str, list[str]] = defaultdict(list)
    for ui, spelling in lexicon.names.values():
        added[ui].append(spelling)
    return [*_changed(given, lexicon, added), *_new(lexicon, added)]


def _changed(concepts: Iterable[Concept], lexicon: Lexicon, added: dict[str, list[str]]) -> Iterator[Concept]:
    for concept in concepts:
        ui = concept.node_id.removeprefix("mesh:")
        kept = [term for term in concept.terms if _stays(normalise(term), ui, lexicon)]
        # What people annotated comes first: the first concept with a term keeps it.
        terms = tuple(dict.fromkeys((*kept[:1], *added.pop(ui, ()), *kept[1:])))
        if terms:
            yield Concept(concept.node_id, concept.kind, concept.name, terms)


def _stays(term: str, ui: str, lexicon: Lexicon) -> bool:
    return term not in lexicon.idle and lexicon.names.get(term, (ui, ""))[0] == ui


def _new(lexicon: Lexicon, added: dict[str, list[str]]) -> Iterator[Concept]:
    for ui, names in sorted(added.items()):
        if ui[0] in "CD" and ui[1:].isdigit():
            name = max(names, key=len)
            yield Concept(f"mesh:{ui}", lexicon.kinds[ui], name, (name, *(one for one in names if one != name)))


def learn(abstracts: Sequence[Abstract], concepts: Iterable[Concept]) -> Lexicon:
    """What the abstracts teach; `concepts` are those whose terms may be idle."""
    annotated: defaultdict[str, Counter[str]] = defaultdict(Counter)
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    kinds: dict[str, str] = {}
    types: set[str] = set()
    for abstract in abstracts:
        for one in abstract.annotations:
            text = abstract.text[one.start : one.end]
            types.add(one.type)
            if len(one.ids) == 1 and len(name := normalise(text)) >= _SHORTEST and ";" not in text:
                (ui,) = one.ids
                annotated[name][ui] += 1
                spellings[name][text] += 1
                kinds[ui] = "chemical" if one.type == _CHEMICAL else "disease"
    judged = {_CHEMICAL in types, not types <= {_CHEMICAL}} if types else set()
    sought = {normalise(term) for one in concepts if _JUDGED.get(one.kind) in judged for term in one.terms}
    counts = _occurrences(abstracts, sought | set(annotated))
    names = {}
    for name, ids in annotated.items():
        ui, count = ids.most_common(1)[0]
        if count >= _LEAST_SHARE * counts[name]:
            names[name] = (ui, spellings[name].most_common(1)[0][0])
    idle = {
        term
        for term in sought
        if counts[term] >= _IDLE_OCCURRENCES and annotated[term].total() <= _IDLE_SHARE * counts[term]
    }
    return Lexicon(names, kinds, frozenset(idle))


def _occurrences(abstracts: Iterable[Abstract], names: Iterable[str]) -> Counter[str]:
    """How often each folded name stands in the abstracts as whole words."""
    automaton = ahocorasick.Automaton()
    for name in names:
        if name:
            automaton.add_word(name, name)
    found: Counter[str] = Counter()
    if not len(automaton):
        return found
    automaton.make_automaton()
    for abstract in abstracts:
        folded = fold(abstract.text)
        for last, name in automaton.iter(folded):
            start = last + 1 - len(name)
            within = (start and folded[start - 1].isalnum()) or folded[last + 1 : last + 2].isalnum()
            found[name] += not within
    return found
