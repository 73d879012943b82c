"""A MeSH record as a concept of the vocabulary: pure decisions about kinds and terms."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from medkg_lab.stages.extract.vocabulary import Concept

_NO_DISEASES = ("C23.550.260", "C23.550.291")
"""Branches among the diseases whose headings are none: death, and attributes such as recurrence and emergencies."""
_KIND_BY_TREE: tuple[tuple[str, str | None], ...] = (
    ("C23.888", "symptom"),
    ("C23.300", "finding"),
    ("C", "disease"),
    ("F03", "disease"),
    ("F01.145.126", "symptom"),
    ("D08", "protein"),
    ("D12.776", "protein"),
    ("D23.529", "protein"),
    ("D26", None),
    ("E05.318", None),
    ("D27", "drug class"),
    ("D", "chemical"),
    ("E", "procedure"),
)
_KIND_BY_CLASS = {"1": "chemical", "3": "disease"}
"""Classes of supplementary records: 1 chemicals, 2 protocols, 3 diseases, 4 organisms; see
https://www.nlm.nih.gov/mesh/xml_data_elements.html."""
_NEOPLASMS = " Neoplasms"
_TUMOURS = (" Cancer", " Tumor", " Tumour")
_CLASSES = ("Disease", "Syndrome", "Disorder")
"""Words that authors exchange at the end of a disease's name."""
_BRITISH = {
    "hemo": "haemo",
    "hema": "haema",
    "hemi": "haemi",
    "emia": "aemia",
    "edema": "oedema",
    "tumor": "tumour",
    "esophag": "oesophag",
    "rrhea": "rrhoea",
    "ischem": "ischaem",
    "leukem": "leukaem",
}
"""Parts of words, and their British spelling."""
_AMERICAN = re.compile("|".join(f"(?<![ao]){part}" for part in sorted(_BRITISH, key=len, reverse=True)), re.IGNORECASE)
_DOUBLE_NAME = re.compile(r"^(?:[a-z]+ )?[A-Z][^\W\d_]{2,}-[A-Z][^\W\d_]{2,}$")
_LONGEST_TERM = 160
_SHORTEST_TERM = 3
_TOO_GENERAL = frozenset(
    {
        "disease",
        "diseases",
        "syndrome",
        "drugs",
        "drug",
        "lead",
        "solutions",
        "tablets",
        "capsules",
        "injection",
        "injections",
        "research",
        "methods",
        "proteins",
        "protein",
        "genes",
        "alleles",
        "dna",
        "rna",
        "peptides",
        "enzymes",
        "ligands",
        "mutation",
        "therapeutics",
        "diagnosis",
        "dosage",
        "registries",
        "pulse",
        "self report",
    }
)
"""Headings whose words mean nothing particular in running text."""


@dataclass
class Record:
    """What the files say of one id; several files may add to it."""

    ui: str
    name: str = ""
    terms: list[str] = field(default_factory=list)
    trees: list[str] = field(default_factory=list)
    record_class: str = ""


def kind_of(record: Record) -> str | None:
    """The concept's kind: by the first branch of the MeSH tree that says one, else by the class of supplementary record.

    Dosage forms (D26) and epidemiologic methods such as risk and prevalence (E05.318) have none, and so are skipped.
    """
    trees = [tree for tree in record.trees if not tree.startswith(_NO_DISEASES)]
    for prefix, kind in _KIND_BY_TREE:
        if any(tree.startswith(prefix) for tree in trees):
            return kind
    return _KIND_BY_CLASS.get(record.record_class) if record.ui.startswith("C") else None


def concepts(records: Iterable[Record]) -> Iterator[Concept]:
    """The records that name something the lab looks for, by id."""
    chosen = sorted(records, key=lambda record: record.ui)
    given = {term.casefold(): record.ui for record in reversed(chosen) for term in (record.name, *record.terms)}
    for record in chosen:
        kind = kind_of(record)
        if kind and _is_term(record.name):
            yield Concept(f"mesh:{record.ui}", kind, record.name, tuple(terms_of(record, given)))


def terms_of(record: Record, given: Mapping[str, str]) -> Iterator[str]:
    """The terms that are looked for in text, in order and without repeats, with other ways to write them.

    `given` has the id of every term that MeSH itself has: such a term is never taken for another way to write one of another id.
    """
    seen: set[str] = set()
    for term in (record.name, *record.terms):
        for form in spellings(term):
            folded = form.casefold()
            if folded not in seen and _is_term(form) and given.get(folded, record.ui) == record.ui:
                seen.add(folded)
                yield form


def spellings(term: str) -> Iterator[str]:
    """`term`, the right way round if it is inverted, with the everyday words for `Neoplasms`, and as other authors write it."""
    for form in (term, *natural_order(term)):
        yield form
        if form.endswith(_NEOPLASMS):
            yield from (form.removesuffix(_NEOPLASMS) + word for word in _TUMOURS)
        yield from other_classes(form)
    yield from british(term)


def other_classes(term: str) -> Iterator[str]:
    """`term` with each other word for its class, `Wilson Syndrome` for `Wilson Disease`; nothing where it ends in none.

    A double name, as in `Lesch-Nyhan Syndrome`, means the same without any.
    """
    head, _, last = term.rpartition(" ")
    named = last.removesuffix("s")
    if head and named in _CLASSES:
        yield from (f"{head} {word}" for word in _CLASSES if word != named)
        if _DOUBLE_NAME.search(head):
            yield head


def british(term: str) -> Iterator[str]:
    """`term` in British spelling, where that is another, and the right way round."""

    def spell(match: re.Match[str]) -> str:
        spelling = _BRITISH[match[0].lower()]
        return spelling.capitalize() if match[0][0].isupper() else spelling

    spelled = _AMERICAN.sub(spell, term)
    if spelled != term:
        yield from (spelled, *natural_order(spelled))


def natural_order(term: str) -> tuple[str, ...]:
    """`Hypertension, Portal` the way a text says it; nothing for a term that is not inverted."""
    head, comma, rest = term.partition(", ")
    return (f"{rest} {head}",) if comma and rest and ", " not in rest else ()


def _is_term(text: str) -> bool:
    return (
        _SHORTEST_TERM <= len(text) <= _LONGEST_TERM
        and text.casefold() not in _TOO_GENERAL
        and not text.isdigit()
        and not set(text) & set("\t\n\r;")
    )
