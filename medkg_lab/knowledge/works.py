"""Documents that are one work: which of them stands for all, and what a reader must know of a document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medkg_lab.knowledge.answers import SameWork
from medkg_lab.knowledge.catalogue import Catalogue, Entry
from medkg_lab.knowledge.facts import Facts
from medkg_lab.models.identity import FILE_SOURCE


@dataclass(frozen=True, slots=True)
class Description:
    """What is said beside a hit."""

    notes: tuple[str, ...]
    same_work: tuple[SameWork, ...]


def best(members: Sequence[Facts]) -> Facts:
    """The document that stands for its work: an article before its preprint, a newer version before an older, a registry's copy
    before a file's; of equals the first by id."""
    return min(members, key=lambda one: (one.is_preprint, -one.version, one.source == FILE_SOURCE, one.doc_id))


def representatives(catalogue: Catalogue, entries: Mapping[int, Entry]) -> dict[int, int]:
    """By first key of each document among `entries`, that of the one among them which stands for its work."""
    found: dict[int, int] = {}
    here = {entry.first_key: entry for entry in entries.values()}
    for first_key, entry in here.items():
        members = catalogue.same_work(entry)
        if len(members) == 1:
            found[first_key] = first_key
        elif first_key not in found:
            members = [one for one in members if one.first_key in here]
            chosen = best([one.facts for one in members])
            stands = next(one.first_key for one in members if one.facts is chosen)
            found |= {one.first_key: stands for one in members}
    return found


def describe(catalogue: Catalogue, entry: Entry) -> Description:
    """What is said of a document, and which other documents here are the same work."""
    facts, notes = entry.facts, []
    notices = catalogue.notices(entry)
    if facts.notice:
        notes.append(f"{facts.notice} notice" + (f" of {', '.join(sorted(facts.retracts))}" if facts.retracts else ""))
    elif facts.fate == "retracted" or notices:
        notes.append(f"retracted (notice: {', '.join(notices)})" if notices else "retracted")
    elif facts.fate:
        notes.append(facts.fate)
    if facts.is_preprint:
        notes.append("preprint")
    others = [one.facts for one in catalogue.same_work(entry) if one.first_key != entry.first_key]
    return Description(tuple(notes), tuple(SameWork(one.doc_id, _kind(one, facts)) for one in sorted(others, key=_id)))


def _id(facts: Facts) -> str:
    return facts.doc_id


def _kind(facts: Facts, beside: Facts) -> str:
    if facts.is_preprint != beside.is_preprint:
        return "preprint" if facts.is_preprint else "article"
    return f"version {facts.version}" if facts.version != beside.version and facts.version else "copy"
