"""The patterns by which a sentence states a claim without a language model, one per rule, for sentences with masked mentions.

In a masked sentence each mention is one character: `FINDING` for what a person has, `EXPOSURE` for what a person is given, and
`SUBSTANCE` for proteins and the like. A rule names its two ends as the groups `a` and `b`. The rules are our own; each was kept
because its relation is right in 85 of 100 sentences drawn at random (`medkg-lab eval graph`).
"""

import re
from dataclasses import dataclass
from functools import cached_property

FINDING = "\ue001"
EXPOSURE = "\ue002"
SUBSTANCE = "\ue003"
MARKS = FINDING + EXPOSURE + SUBSTANCE

TREATS = "TREATS"
CAUSES = "CAUSES"
REDUCES = "REDUCES"
ASSOCIATED_WITH = "ASSOCIATED_WITH"
COMPARED_WITH = "COMPARED_WITH"


@dataclass(frozen=True)
class Rule:
    """A pattern for a relation; `name` is recorded with each edge that it makes; `hedged`: a hedge changes nothing."""

    name: str
    relation: str
    pattern: re.Pattern[str]
    hedged: bool = False
    attributive: bool = False
    """Whether the two ends are one noun phrase, which may hang on a preposition: `in X-induced Y`."""
    words: tuple[str, ...] = ()
    """Of these, in lower case, every match has at least one: a sentence without them need not be searched."""

    @cached_property
    def marks(self) -> frozenset[str]:
        """The marks that every match has: those which are the only choice for one of its ends."""
        ends = [f"(?P<{end}>{mark})" for end in "ab" for mark in MARKS]
        return frozenset(end[-2] for end in ends if end in self.pattern.pattern)


_A = {mark: f"(?P<a>{mark})" for mark in (FINDING, EXPOSURE)}
_B = {mark: f"(?P<b>{mark})" for mark in (FINDING, EXPOSURE)}
_ANY_A, _ANY_B = f"(?P<a>[{MARKS}])", f"(?P<b>[{MARKS}])"
_F, _X = FINDING, EXPOSURE
_ABBREVIATION = rf"(?: \((?:[A-Z][\w-]{{1,8}}|[{MARKS}])\))?"
"""What may stand in brackets behind a name: its abbreviation, which is a mention itself where it is known."""
_NOT_WITHIN = rf"(?<![\w{MARKS}/+-])(?<!non )(?<!anti )"
_LINKING = r"(?:and|or|of|in|for|with|by|to|from|on|at|than|as|that|which|who|was|were|is|are|not|no|without)"
_QUALITIES = rf"(?:(?!{_LINKING}\b)[\w'’-]+ ){{0,2}}"
_ENDS = (
    r"(?=[.,;:)\]?!]|$| (?:in|and|or|with|by|is|are|was|were|has|have|had|as|at|after|during|when|while|than|to|from|on"
    r"|through|via|using|because|since|that|which|who|whose|but|among|within|compared|versus|vs|due|symptoms?|patients?"
    r"|episodes?|attacks?|events?|for|resulting|including|especially|particularly|\()|\(| \()"
)
"""What stands behind a mention that is the head of its phrase."""
_BE = r"(?:is|are|was|were|has been|have been|had been|be|being|been)"
_ADVERBS = (
    r"(?: (?:also|then|still|now|widely|commonly|currently|often|frequently|successfully|generally|usually|\w+ly))*"
)
_GIVEN = (
    r"(?: (?:therapy|treatment|monotherapy|administration|injections?|infusions?|use|supplementation|tablets?|alone|groups?"
    r"|prophylaxis|exposure|pretreatment|\([^()]{1,40}\)|(?:at|in) (?:an? |the )?(?:low|high|doses?"
    r"|dosages?)[^,;.]{0,20})){0,2}"
)
_OF_RISK = (
    r"(?:(?:the|an?|its|their|both|overall|mean|higher|lower|increased?|elevated|greater|reduced|significant(?:ly)?|high"
    r"|risks?|incidence|odds|likelihood|rates?|prevalence|severity|frequency|number|development|occurrence|presence"
    r"|progression|onset|levels?|duration|intensity|burden|symptoms?|episodes?|signs?|hazard|chances?|poor|worse|more"
    r"|severe|in|of|for|and) )*"
)
_SUFFERERS = (
    r"(?:(?:the|a|an|some|many|most|all|\d+|adult|elderly|young|paediatric|pediatric|human|these|of) )*"
    r"(?:patients?|children|people|adults|women|men|individuals|subjects|persons|those|cases|infants|mice|rats)"
    r"(?: (?:with|who (?:have|had|has)|suffering from|diagnosed with|having))"
)


_WORDS = {
    "treats.used-for": "treat therap manag control relie",
    "treats.treated-with": "treated",
    "treats.treatment-with": "treatment_of management_of therapy_of",
    "treats.therapy-for": "therapy treatment",
    "treats.relieves": "reliev alleviat ameliorat cure treats",
    "causes.induced": "induced provoked evoked",
    "causes.caused-by": "caused_by induced_by produced_by provoked_by triggered_by",
    "causes.due-to": "due_to secondary_to attributable_to attributed_to",
    "causes.causes": "cause induce produce trigger provoke lead led_to result",
    "causes.cause-of": "cause_of causes_of",
    "reduces.reduces": "reduce decrease lower diminish attenuate suppress prevent",
    "associated.with": "associated correlated linked",
    "associated.hyphen": "associated related",
    "associated.risk-factor": "risk_factor predictor",
    "compared.versus": "versus vs compared comparison",
    "compared.comparing": "compar",
    "compared.than": "than superior inferior equivalent _as_",
    "treats.is-treatment": "treatment therap remed cure",
    "treats.given-for": "treatment_of management_of therapy_of",
    "treats.for": "used indicated approved licensed prescribed",
    "treats.patients-with": "treated",
    "reduces.reduced-by": "_by_",
    "reduces.protects": "protect",
    "reduces.effective-in": "reduc decreas lower prevent attenuat",
    "associated.raises-risk": "increase raise elevate double",
    "associated.association": "association correlation link",
    "associated.complication": "complication symptom manifestation consequence feature comorbidit effect sign",
    "associated.characterised": "characteri accompanied complicated",
}
"""For each rule the words of `Rule.words`; `_` is a space."""


def _rule(name: str, relation: str, pattern: str, hedged: bool = False, attributive: bool = False) -> Rule:
    words = tuple(word.replace("_", " ") for word in _WORDS[name].split())
    return Rule(name, relation, re.compile(pattern, re.IGNORECASE), hedged, attributive, words)


RULES = (
    _rule(
        "treats.used-for",
        TREATS,
        rf"{_NOT_WITHIN}{_A[_X]}{_ABBREVIATION}{_GIVEN},?(?: (?:which|that))? {_BE}{_ADVERBS} (?:an? )?{_ADVERBS}"
        rf"(?: ?(?:used|effective|efficacious|indicated|approved|licensed|prescribed|recommended|administered|given|useful"
        rf"|beneficial|established|standard|first-line|treatments?|therap(?:y|ies)|drugs?|agents?|medications?|options?"
        rf"|choice|of|as|an?|the))+ (?:for|in|to|against)(?: (?:the|use in))?"
        rf" (?:(?:treatments?|therapy|management|control|relief) of|treat(?:ing)?|manag(?:e|ing)|reliev(?:e|ing))"
        rf" (?:{_SUFFERERS} )?{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "treats.treated-with",
        TREATS,
        rf"{_B[_F]}{_ABBREVIATION}(?: (?:patients?|cases|infections?|symptoms|subjects))?(?:,? (?:who|which|that))?"
        rf"(?: {_BE})?{_ADVERBS} treated{_ADVERBS} (?:with|by)"
        rf" {_QUALITIES}{_A[_X]}{_ENDS}",
    ),
    _rule(
        "treats.treatment-with",
        TREATS,
        rf"\b(?:treatment|management|therapy) of (?:{_SUFFERERS} )?{_QUALITIES}{_B[_F]}{_ABBREVIATION}"
        rf" (?:with|by|using) {_QUALITIES}{_A[_X]}{_ENDS}",
    ),
    _rule(
        "treats.therapy-for",
        TREATS,
        rf"{_NOT_WITHIN}{_A[_X]}{_ABBREVIATION} (?:therapy|treatment|monotherapy) (?:for|of) "
        rf"(?:{_SUFFERERS} )?{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "treats.relieves",
        TREATS,
        rf"{_NOT_WITHIN}{_A[_X]}{_ABBREVIATION}{_GIVEN}(?:,? (?:which|that))?{_ADVERBS}"
        rf" (?:relieve[sd]?|alleviate[sd]?|ameliorate[sd]?|cure[sd]?|treats)"
        rf" (?:the )?(?:symptoms of )?{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "causes.induced",
        CAUSES,
        rf"{_NOT_WITHIN}{_A[_X]}[ -‐‑–](?:induced|provoked|evoked) {_QUALITIES}{_B[_F]}{_ENDS}",
        attributive=True,
    ),
    _rule(
        "causes.caused-by",
        CAUSES,
        rf"{_B[_F]}{_ABBREVIATION}(?:,? (?:which|that))?(?: {_BE})?{_ADVERBS}"
        rf" (?:caused|induced|produced|provoked|triggered) by {_QUALITIES}{_ANY_A}{_ENDS}",
    ),
    _rule(
        "causes.due-to",
        CAUSES,
        rf"{_B[_F]}{_ABBREVIATION}(?: {_BE})?{_ADVERBS} (?:due|secondary|attributable"
        rf"|attributed) to {_QUALITIES}{_ANY_A}{_ENDS}",
    ),
    _rule(
        "causes.causes",
        CAUSES,
        rf"{_NOT_WITHIN}{_ANY_A}{_ABBREVIATION}{_GIVEN}(?: (?:infections?|exposure|intake))?(?:,? (?:which"
        rf"|that))?{_ADVERBS}(?: can)?"
        rf" (?:cause[sd]?|induce[sd]|produce[sd]|trigger(?:s|ed)|provoke[sd]|(?:leads?|led) to|results? in|resulted in)"
        rf" {_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "causes.cause-of",
        CAUSES,
        rf"{_NOT_WITHIN}{_ANY_A}{_ABBREVIATION} {_BE}(?: \w+ly)? (?:an?|the|one of the)"
        rf" (?:(?:most|leading|main|major|common|frequent|important|primary|principal|second|known|well-known|third|\w+ly) )*"
        rf"causes? of {_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "reduces.reduces",
        REDUCES,
        rf"{_NOT_WITHIN}{_A[_X]}{_ABBREVIATION}{_GIVEN}(?:,? (?:which|that))?{_ADVERBS}"
        rf" (?:can )?(?:reduce[sd]?|decrease[sd]?|lower(?:s|ed)?|diminish(?:es|ed)?|attenuate[sd]?|suppress(?:es|ed)"
        rf"|prevent(?:s|ed)?)"
        rf"(?: (?:and|or) (?:delay|delayed|delays|reduced?s?|prevents?))? {_OF_RISK}{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "associated.with",
        ASSOCIATED_WITH,
        rf"{_NOT_WITHIN}{_ANY_A}{_ABBREVIATION}{_GIVEN}(?: (?:levels?|status|exposure|infections?|intake|severity"
        rf"|expression|concentrations?))?"
        rf"(?:,? (?:which|that))?(?: {_BE})?{_ADVERBS} (?:associated|correlated|linked) (?:with|to)"
        rf" {_OF_RISK}{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "associated.hyphen",
        ASSOCIATED_WITH,
        rf"{_NOT_WITHIN}{_ANY_A}[-‐‑–](?:associated|related) {_QUALITIES}{_B[_F]}{_ENDS}",
        attributive=True,
    ),
    _rule(
        "associated.risk-factor",
        ASSOCIATED_WITH,
        rf"{_NOT_WITHIN}{_ANY_A}{_ABBREVIATION} {_BE}(?: \w+ly)? (?:an?|the|one of the)"
        rf" (?:(?:most|leading|main|major|common|important|independent|significant|strong|known|well-known|established"
        rf"|potent|\w+ly) )*"
        rf"(?:risk factors?|predictors?) (?:for|of) {_OF_RISK}{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "compared.versus",
        COMPARED_WITH,
        rf"{_NOT_WITHIN}{_A[_X]}{_ABBREVIATION}{_GIVEN}(?: groups?| arms?)?,? (?:versus|vs\.?|(?:as |when )?compared "
        rf"(?:with|to|against)"
        rf"|in comparison (?:with|to)) (?:the |an? |oral |topical )?{_B[_X]}{_ENDS}(?! (?:plus|and|with)\b)",
        hedged=True,
        attributive=True,
    ),
    _rule(
        "compared.comparing",
        COMPARED_WITH,
        rf"\b(?:compar(?:ed|es|ing|e)|comparison (?:of|between))(?: the)?(?: (?:efficacy|effects?|effectiveness|safety"
        rf"|use|and|of|between))*"
        rf" (?:the )?{_A[_X]}{_ABBREVIATION}{_GIVEN} (?:and|with|to|versus|against) (?:the |an? )?{_B[_X]}{_ENDS}(?! "
        rf"(?:plus|and|with)\b)",
        hedged=True,
    ),
    _rule(
        "compared.than",
        COMPARED_WITH,
        rf"{_NOT_WITHIN}{_A[_X]}{_ABBREVIATION}{_GIVEN}(?: groups?| arms?)? {_BE}{_ADVERBS} (?:(?:more|less|as"
        rf"|at least as) \w+ (?:than|as)"
        rf"|(?:superior|inferior|non-inferior|noninferior|equivalent) to|(?:better|worse) than) "
        rf"(?:the )?{_B[_X]}{_ENDS}(?! (?:plus|and|with)\b)",
        hedged=True,
    ),
    _rule(
        "treats.is-treatment",
        TREATS,
        rf"{_NOT_WITHIN}{_A[_X]}{_ABBREVIATION}{_GIVEN},?(?: (?:which|that))? {_BE}{_ADVERBS} (?:an?|the|one of the)"
        rf" (?:[\w-]+ ){{0,4}}(?:treatments?|therap(?:y|ies)|remed(?:y|ies)|cures?)(?: of choice| options?| strategy)? "
        rf"(?:for|of|in|against)"
        rf" (?:the )?(?:{_SUFFERERS} )?{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "treats.given-for",
        TREATS,
        rf"\b(?:use of|used|uses|using|receiv(?:ed|ing)|given|giving|took|taking|with|administered|prescribed) "
        rf"(?:the )?{_QUALITIES}"
        rf"{_A[_X]}{_ABBREVIATION}{_GIVEN} (?:for|in) (?:the )?(?:treatment|management|therapy) of "
        rf"(?:{_SUFFERERS} )?{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "treats.for",
        TREATS,
        rf"{_NOT_WITHIN}{_A[_X]}{_ABBREVIATION},? (?:used|indicated|approved|licensed|prescribed) (?:for|to treat"
        rf"|in the treatment of"
        rf"|for the treatment of) (?:{_SUFFERERS} )?{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "treats.patients-with",
        TREATS,
        rf"{_SUFFERERS} {_QUALITIES}{_B[_F]}{_ABBREVIATION}(?: who)?(?: {_BE})?{_ADVERBS} treated{_ADVERBS} (?:with"
        rf"|by) {_QUALITIES}{_A[_X]}{_ENDS}",
    ),
    _rule(
        "reduces.reduced-by",
        REDUCES,
        rf"{_B[_F]}{_ABBREVIATION} {_BE}{_ADVERBS} (?:reduced|decreased|lowered|diminished|attenuated|suppressed"
        rf"|prevented|inhibited) by"
        rf" (?:treatment with |the use of |administration of )?{_QUALITIES}{_A[_X]}{_ENDS}",
    ),
    _rule(
        "reduces.protects",
        REDUCES,
        rf"{_NOT_WITHIN}{_A[_X]}{_ABBREVIATION}{_GIVEN}(?:,? (?:which|that))?{_ADVERBS} (?:protect(?:s|ed)|{_BE} protective)"
        rf"(?: (?:mice|rats|patients|animals|neurons|cells|children|the \w+))? (?:against"
        rf"|from) {_OF_RISK}{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "reduces.effective-in",
        REDUCES,
        rf"{_NOT_WITHIN}{_A[_X]}{_ABBREVIATION}{_GIVEN},?(?: (?:which|that))? {_BE}{_ADVERBS} (?:(?:more |most |highly |very )?"
        rf"(?:effective|efficacious|useful|successful|beneficial) (?:in|for|at)|(?:an?|the) (?:[\w-]+ ){{0,3}}"
        rf"(?:intervention|strategy|measure|agent|drug|method|means|way) (?:for|of|to)) (?:the )?"
        rf"(?:reduc(?:ing|e|tion of)|decreas(?:ing|e)|lower(?:ing)?|prevent(?:ing|ion of)?|attenuat(?:ing|e)) "
        rf"{_OF_RISK}{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "associated.raises-risk",
        ASSOCIATED_WITH,
        rf"{_NOT_WITHIN}{_ANY_A}{_ABBREVIATION}{_GIVEN}(?:,? (?:which|that))?{_ADVERBS} (?:increase[sd]?|raise[sd]?"
        rf"|elevate[sd]?|doubled?s?)"
        rf" (?:the |their |an? )?(?:[\w-]+ )?(?:risks?|incidence|odds|likelihood|susceptibility|rates?) (?:of|to"
        rf"|for) {_OF_RISK}{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
    _rule(
        "associated.association",
        ASSOCIATED_WITH,
        rf"\b(?:significant|strong|positive|clear|known|well-known|robust|close|independent|inverse|negative) "
        rf"(?:associations?|correlations?|links?)"
        rf" (?:between|of) {_OF_RISK}{_QUALITIES}{_ANY_A}{_ABBREVIATION} (?:and"
        rf"|with) {_OF_RISK}{_QUALITIES}{_ANY_B}{_ENDS}",
    ),
    _rule(
        "associated.complication",
        ASSOCIATED_WITH,
        rf"{_NOT_WITHIN}{_A[_F]}{_ABBREVIATION} {_BE} (?:an?|the|one of the) (?:[\w-]+ ){{0,3}}(?:complications?"
        rf"|symptoms?|manifestations?"
        rf"|consequences?|features?|comorbidit(?:y|ies)|side effects?|adverse effects?|signs?) (?:of|in) "
        rf"(?:{_SUFFERERS} )?{_QUALITIES}{_ANY_B}{_ENDS}",
    ),
    _rule(
        "associated.characterised",
        ASSOCIATED_WITH,
        rf"{_NOT_WITHIN}{_A[_F]}{_ABBREVIATION},?(?: (?:which|that))?(?: {_BE})?{_ADVERBS} (?:characteri[sz]ed by"
        rf"|accompanied by|complicated by) {_OF_RISK}{_QUALITIES}{_B[_F]}{_ENDS}",
    ),
)
