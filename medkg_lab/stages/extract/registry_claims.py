"""What a registered trial's arms claim: which interventions are studied to treat its conditions, and what is compared with what.

Pure. Only what the record states as fields counts: primary purpose, allocation, the arms' types and what is given in each.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from medkg_lab.models.documents import Code, Document, Node
from medkg_lab.stages.parse.ctgov_codes import ARM_INTERVENTION, ARM_KIND

STUDIED_TO_TREAT = "STUDIED_TO_TREAT"
COMPARED_WITH = "COMPARED_WITH"
TREATS_RULE = "registry.purpose-treatment"
COMPARED_RULE = "registry.randomised-arms"

_ARM = re.compile(r"armGroups\[(\d+)\]")
_TREATING = (
    "Drug",
    "Biological",
    "Device",
    "Procedure",
    "Radiation",
    "Behavioral",
    "Dietary Supplement",
    "Combination Product",
    "Genetic",
)
_CONTROLS = frozenset({"PLACEBO_COMPARATOR", "SHAM_COMPARATOR", "NO_INTERVENTION"})
_NO_TREATMENT = re.compile(
    r"placebo|sham|questionnaire|survey|interview|biopsy|specimen|sampl|biomarker|analysis|assessment|imaging|tomograph"
    r"|\bMRI\b|\bCT\b"
    r"|\bPET\b|scan|ultraso|quality[- ]of[- ]life|pharmacok|pharmacodyn|echocardio|electrocardio|aspirat|blood"
    r"|laborator|monitor"
    r"|waitlist|wait[- ]list|waiting|control|usual care|standard (?:of )?care|no (?:treatment|intervention)|observation|diagnos"
    r"|vehicle|saline|test\b|measure|evaluation|gadolinium|contrast",
    re.IGNORECASE,
)
_SUPPORTIVE = re.compile(
    r"mesna|filgrastim|leucovorin|folinic|allopurinol|rasburicase|ondansetron|granisetron|ciclovir|cyclovir|fluconazole"
    r"|conazole"
    r"|levetiracetam|tacrolimus|sirolimus|mycophenolate|cyclosporin|thymoglobulin|globulin|acetaminophen|paracetamol"
    r"|diphenhydramine"
    r"|tocilizumab|dexrazoxane|heparin|transfus|caine\b|an(?:a)?esthe|analges|sedat|propofol|remifentanil|fentanyl"
    r"|morphine|blockade?\b"
    r"|\bplane\b|intub|catheter|suture|drain",
    re.IGNORECASE,
)
"""What is given so that the treatment can be borne, and treats no condition of the trial."""
_PAIN = re.compile(r"pain|analges|transplant|graft|reject|nausea|thrombo|infection|neuralgia", re.IGNORECASE)
_NO_DISEASE = re.compile(
    r"health|quality of life|volunteer|safety|pharmacok|adherence|acceptab|feasib|satisf|caregiv|behavio|education"
    r"|prevention|screening"
    r"|surgery|an(?:a)?esthesia|transplant|function$|performance|replacement|ectomy\b|plasty\b|ostomy\b|fusion|HIV"
    r"|immunodeficiency virus",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RegistryClaim:
    """Two nodes, what the record states of them, the rule, and the record's fields that say so."""

    source: Node
    relation: str
    target: Node
    rule: str
    evidence: str


@dataclass
class _Arm:
    label: str = ""
    kind: str = ""
    given: dict[str, Node] = field(default_factory=dict)
    """Nodes by the record's own names, with their type before them."""

    def __str__(self) -> str:
        return f"{self.label} ({self.kind.replace('_', ' ').lower()}): {', '.join(self.given)}"


def registry_claims(document: Document, node_of: Callable[[Code], Node]) -> Iterator[RegistryClaim]:
    """The claims of a trial's record, each once; `node_of` gives the node of one of the document's codes."""
    arms = _arms(document, node_of)
    if document.metadata.get("primary_purpose") == "TREATMENT":
        yield from _studied(document, arms, node_of)
    if document.metadata.get("allocation") == "RANDOMIZED":
        yield from _compared(arms)


def _arms(document: Document, node_of: Callable[[Code], Node]) -> list[_Arm]:
    interventions = {
        code.term: code for code in document.codes if code.role == "intervention" and code.scheme == "free"
    }
    found: dict[int, _Arm] = defaultdict(_Arm)
    for code in document.codes:
        place = _ARM.search(code.place.element)
        if place is None:
            continue
        arm = found[int(place[1])]
        if code.role == "arm":
            arm.label = code.term
        elif code.role == ARM_KIND:
            arm.kind = code.term
        elif code.role == ARM_INTERVENTION and (named := interventions.get(code.term.partition(": ")[2])):
            arm.given[code.term] = node_of(named)
    return [found[number] for number in sorted(found)]


def _studied(document: Document, arms: Sequence[_Arm], node_of: Callable[[Code], Node]) -> Iterator[RegistryClaim]:
    conditions = [code for code in document.codes if code.role == "condition" and code.scheme == "free"]
    made: set[tuple[str, str]] = set()
    for arm in arms:
        if arm.kind in _CONTROLS:
            continue
        for name, intervention in arm.given.items():
            kind, _, bare = name.partition(": ")
            if kind not in _TREATING or _NO_TREATMENT.search(bare):
                continue
            for condition in conditions:
                target = node_of(condition)
                key = (intervention.node_id, target.node_id)
                if _SUPPORTIVE.search(bare) and not _PAIN.search(condition.term):
                    continue
                if (
                    key[0] != key[1]
                    and key not in made
                    and not _NO_DISEASE.search(condition.term)
                    and _is_disease(target)
                ):
                    made.add(key)
                    evidence = f"primary purpose: treatment; condition: {condition.term}; {arm}"
                    yield RegistryClaim(intervention, STUDIED_TO_TREAT, target, TREATS_RULE, evidence)


def _is_disease(node: Node) -> bool:
    return node.kind not in ("procedure", "drug", "drug class", "chemical", "protein")


def _compared(arms: Sequence[_Arm]) -> Iterator[RegistryClaim]:
    """Of two arms that differ in one intervention each, the two; the experimental arm's first."""
    made: set[frozenset[str]] = set()
    for pair in combinations(arms, 2):
        first, second = sorted(pair, key=lambda arm: arm.kind != "EXPERIMENTAL")
        names = (
            {node.node_id: node for node in first.given.values()},
            {node.node_id: node for node in second.given.values()},
        )
        one, other = set(names[0]) - set(names[1]), set(names[1]) - set(names[0])
        if len(one) == len(other) == 1 and (key := frozenset(one | other)) not in made:
            made.add(key)
            source, target = names[0][one.pop()], names[1][other.pop()]
            yield RegistryClaim(source, COMPARED_WITH, target, COMPARED_RULE, f"{first}; {second}")
