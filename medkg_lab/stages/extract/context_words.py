"""The trigger phrases and word lists of the ConText rules, in the categories that the algorithm's authors publish.

The lists are our own. Chapman et al., "A simple algorithm for identifying negated findings and diseases in discharge summaries",
Journal of Biomedical Informatics 34 (2001); Harkema et al., "ConText: an algorithm for determining negation, experiencer, and
temporal status from clinical reports", Journal of Biomedical Informatics 42 (2009). Phrases are regular expressions.
"""

import re


def _phrases(*phrases: str) -> str:
    return "(?:" + "|".join(phrases) + ")"


def _compiled(*phrases: str) -> re.Pattern[str]:
    """Any of the phrases, as whole words."""
    return re.compile(rf"(?<![\w-]){_phrases(*phrases)}(?![\w-])", re.IGNORECASE)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HAVE = _phrases(
    "ha(?:ve|s|d|ving)", "show(?:s|ed|n|ing)?", "reveal(?:s|ed|ing)?", "develop(?:s|ed|ing)?", "demonstrate[sd]?",
    "experienc(?:e|es|ed|ing)", "report(?:s|ed|ing)?", "exhibit(?:s|ed|ing)?", "detect(?:s|ed|ing)?",
    "identif(?:y|ies|ied)",
    "f(?:i|ou)nds?", "observed?", "suffer(?:s|ed|ing)?(?: from)?", "present(?:s|ed|ing)? with",
    "complain(?:s|ed|ing)? of",
    "indicate[sd]?", "display(?:s|ed)?", "see", "s[ae]w|seen", "noted?", "disclosed?",
    "die[ds]? (?:of|from|due to|because of)",
)  # fmt: skip
_EXPOSED = _phrases(
    "receiv(?:e|es|ed|ing)", "t[ao]ken?|taking|takes", "undergo(?:ne|ing)?|underwent", "treated with", "exposed to",
    "use[sd]?|using"
)  # fmt: skip
_DIAGNOSED = _phrases("diagnosed with", "known (?:to have|for|with)", "affected (?:by|with)", "positive for")
_PEOPLE = _phrases(
    "patients?", "subjects?", "participants?", "cases?", "wom[ae]n", "m[ae]n", "child(?:ren)?", "infants?",
    "individuals?", "persons?",
    "people", "animals?", "volunteers?", "controls?", "members?", "one", "donors?", "recipients?", "mothers?",
    "groups?", "arms?",
)  # fmt: skip
_BE = "(?:was|were|is|are|be|been|being|has been|have been|had been)"
_NOT = r"(?:not|cannot|never|no longer|\w+n['’]t)"
_ADVERBS = r"(?: (?:also|ever|yet|currently|previously|usually|be|been|have|having|had|able to|\w+ly))*"
_SEEN = _phrases(
    "seen", "found", "observed", "detected", "present", "reported", "diagnosed", "noted", "noticed", "evident",
    "identified", "recorded",
    "documented", "confirmed", "encountered", "demonstrated", "experienced",
)  # fmt: skip
_KIN = _phrases(
    "family members?", "(?:(?:first|second)[- ]degree )?relatives?", "mother", "father", "parents?", "sisters?",
    "brothers?", "siblings?",
    "grand(?:mother|father|parent)s?", "aunts?", "uncles?", "cousins?",
)  # fmt: skip

_ANCHORS = _compiled(
    "no", "not", "nor", "cannot", r"\w+n['’]t", "without", "w/o", "never", "none", "neither", "nil", "absen(?:t|ce)",
    "lack(?:s|ed|ing)?",
    "free", "devoid", "negative", "neg", "den(?:y|ies|ied|ying)", "rul(?:e|es|ed|ing) out", "exclude[sd]?",
    "famil(?:y|ial)", _KIN,
    "possible", "probable", "suspected", "suspici(?:on|ous)", "presumed", "if", "should", "in case", "questionable",
    "concern", "unlikely", "r/o", "seronegative", "zero", rf"0(?= {_PEOPLE})", r"\([-−–]\)",
)  # fmt: skip
ANCHOR = re.compile(rf"{_ANCHORS.pattern}|-negative\b", re.IGNORECASE)
"""Without one of these a text holds no trigger."""
DENYING = _words(
    "no not nor cannot t without w never none neither nil absent absence lack lacks lacked lacking free devoid negative"
    " seronegative neg deny denies denied denying rule rules ruled ruling exclude excludes excluded zero 0"
)
DOUBTING = _words(
    "possible probable suspected suspicion suspicious presumed if should case questionable concern unlikely r rule ruled"
    " exclude excluded"
)
KIN = _words(
    "family familial relative relatives mother father parent parents sister sisters brother brothers sibling siblings"
    " grandmother grandfather grandparent grandmothers grandfathers grandparents aunt aunts uncle uncles cousin cousins"
)
"""The words of anchors, by what their triggers say; each trigger holds one of its own. `t` ends `don't`."""
ANCHOR_WORDS = DENYING | DOUBTING | KIN
NEGATIVE_MARKS = ("(-)", "(−)", "(–)")

_UNRELATED = (
    r"\b[^.;\n]{1,120}?\b(?:associated|correlated|related|linked|(?:affect|influenc|improv|increas|predict|caus|alter|differ"
    r"|reduc|decreas)\w*)"
)
_IS_SAID = r"(?= (?:[\w-]+ ){1,4}(?:is|are|can|may|will|could|would|becomes?|leads?)\b)"
PSEUDO = _compiled(
    "not only", "with(?:,| or| and| and/or|/)? ?without", "without or with", "whether or not", "or not",
    "(?:presence|absence) ?(?:or|and|and/or|/) ?(?:the )?(?:presence|absence)(?: of)?", "in (?:the )?absence of",
    "no(?:t)? (?:less|more|fewer|later|earlier|sooner|longer than|other than)", "no (?:doubt|matter|way)",
    "not necessarily",
    "not certain", "not (?:yet )?(?:known(?! (?:to have|for|with))|clear|stated|approved)",
    rf"neither{_UNRELATED}", rf"(?<![\w,)(] )without [^,;.\n]{{1,60}},{_IS_SAID}", "gram[ -]negative", r"no\. ?\d+",
    "free (?:survival|interval|period)",
)  # fmt: skip
"""Phrases that hold a trigger and deny something else than a finding."""

ABSENT_BEFORE = _compiled(
    rf"(?:(?:no|zero)(?: \w+){{0,2}}? {_PEOPLE}|(?<![.,])0 {_PEOPLE}"
    rf"|nobody|none|neither|not one)(?: of)?(?: (?:the|these|those|our|them|us|all"
    rf"|which|whom|\d+))*(?: {_PEOPLE})?"
    rf"(?: in (?:the |either |any )?\w+(?: {_PEOPLE})?)?(?: also)? (?:{_HAVE}|(?:was|were) {_DIAGNOSED})",
    f"{_NOT}{_ADVERBS} {_HAVE}", f"{_NOT}{_ADVERBS} {_DIAGNOSED}",
    "no", "zero", "(?<![.,])0(?= cases? of)",
    "without(?: any)?", "w/o", "absence of", "absent", "lack(?:s|ed|ing)?(?: of)?", "free (?:of|from)",
    "devoid of", "negative for",
    "den(?:y|ies|ied|ying)", "neither", "nor", "ruled out", "rul(?:es|ing) out", "nil",
)  # fmt: skip
"""Triggers whose scope is behind them."""

UNEXPOSED_BEFORE = _compiled(
    rf"(?:not|never|no longer|\w+n['’]t){_ADVERBS} {_EXPOSED}",
    "(?:no|without|free (?:of|from)|den(?:y|ies|ied)|lack of)(?: any)? (?:prior|previous|concomitant|concurrent"
    "|current|recent|past|history of"
    "|use of|exposure to|treatment with|receipt of|need for)(?: (?:use of|exposure to|treatment with|therapy with))?",
)  # fmt: skip
"""Triggers that deny a drug, a procedure or another thing that is not a finding."""

ABSENT_AFTER = re.compile(
    rf"(?:\b{_BE}(?: (?:also|both|all|\w+ly))? (?:not (?:be )?{_SEEN}|absent|ruled out|excluded|denied|lacking"
    rf"|negative)"
    rf"|\b(?:cannot|could not|can not) be {_SEEN}|\bnever (?:occurred|developed|happened|appeared|arose|recurred"
    rf"|{_SEEN})"
    r"|\b(?:did|does|do|has|have|had)(?: not|n['’]t) (?:occur|develop|appear|arise|happen|recur)(?:red|ed|s)?"
    rf"|\b(?:has|have|had) not been {_SEEN}"
    r"|\s?[:=]\s*(?:no|none|absent|negative|nil|denied|denies|never|neg|not (?:present|detected|seen|found|reported"
    r"|known))(?=\s*(?:[.;,)\n|]|$))"
    r"|\s[-–—]\s(?:no|none|absent|negative|nil)(?=\s*(?:[.;,)\n]|$))"
    rf"|\b(?:{_BE} )?(?:occurred|developed|appeared|{_SEEN}) in (?:none|nobody|(?:no|zero|0)(?: \w+)? {_PEOPLE})"
    r"|(?<!\bbe )(?<!\bbeen )(?<!\bnot )\bruled out(?=\s*(?:[.;,)]|$)|\s(?:by|on|with|via)\b)"
    rf"|[- ](?:sero)?negative(?=\s*(?:[.;,)]|$)|\s{_PEOPLE}\b)"
    r"|\s\((?:no|none|absent|negative|denied|not present|[-−–])(?:\)(?!\w)))(?![\w-])",
    re.IGNORECASE,
)
"""Triggers whose scope is before them."""

POSSIBLE_BEFORE = _compiled(
    "(?<!worst )possible", "probable", "suspected", "suspicion (?:of|for)", "suspicious for", "presumed",
    "questionable", "rule out", "r/o",
    "(?:cannot|could not|can not|not)(?: be)? (?:exclude|rule out)", "concern for", "in case of",
    rf"if (?:the|a|an|any|you|he|she|they)?(?: ?{_PEOPLE})? ?(?:develops?|experiences?)",
)  # fmt: skip
POSSIBLE_AFTER = re.compile(
    r"(?: (?:was|were|is|are|has been|had been|could|can|cannot|could not)(?: \w+ly)? (?:suspected|possible|probable"
    r"|unlikely|questionable|presumed|(?:not )?be (?:excluded|ruled out)|not (?:be )?(?:excluded|ruled out)))(?!\w)",
    re.IGNORECASE,
)
CONDITIONAL = _compiled("if", "should")
HAPPENS = _words("occurs occur develops develop appears appear arises arise persists persist worsens happens")
"""Verbs behind a finding that make `if` or `should` a condition: `if fever develops`."""

FAMILY_BEFORE = _compiled(
    "(?:family|familial)(?:/social)? (?:medical )?histor(?:y|ies)(?: (?:is|was))?(?: (?:positive|significant"
    "|notable))?(?: (?:of|for|with|in))?",
    rf"{_KIN}(?: who)?(?: also)? (?:{_HAVE}|with|{_BE} {_DIAGNOSED})",
    "in (?:the|his|her|their) (?:immediate )?family(?=,)",
)  # fmt: skip
FAMILY_AFTER = re.compile(
    r"\bin (?:(?:the|his|her|their) (?:immediate )?family\b(?! \w)|(?:an?|one|his|her|their)"
    rf" (?:(?:maternal|paternal|older|younger) )?{_KIN})(?![\w-])",
    re.IGNORECASE,
)
"""Triggers whose scope is before them: `asthma in her mother`."""

SCALE = re.compile(
    r"\b(?:scales?|VAS|NRS|NPRS|mm|visual analog(?:ue)?|likert|numeric(?:al)? rating|ratings?|rated|scor(?:e[sd]?"
    r"|ing)|anchor(?:s|ed)?"
    r"|questionnaires?|worst|imaginable|unbearable|maximum|grad(?:e[sd]?|ing)|points? (?:on|marked|where)|at one end"
    r"|mark(?:s|ed|ing)|extreme)\b"
    r"|[\"“'‘(=:]\s*(?:0|zero)\b|\b(?:0|zero)\s*(?:[=:(;–-]|is|being|means|indicat|represent|correspond|for|no\b)"
    r"|=\s*0\b",
    re.IGNORECASE,
)
"""What stands in the sentence of a scale's anchor, `0 = no pain`, which says nothing of anybody's pain."""

PREPOSITIONS = _words(
    "than as after before during at on by from into onto to toward towards upon via against about above below"
    " between among amongst within"
    " over under per despite with in for"
)
STOP = PREPOSITIONS | _words(
    "but however although though except excepting apart besides which who whom whose because since whereas while"
    " when where that"
    " if unless until yet then so thus hence therefore other he she it they we i you his her its their our this"
    " these those there"
    " was were is are am be being been had has have having did does do can could may might must shall should will would"
    " showed shows show developed develops develop occurred occurs received receives underwent presented presents"
    " reported reports"
    " died continued improved resolved persisted remained requires required led leads caused causes resulted"
    " suggest suggests"
    " suggested indicates indicated confirmed denies denied found seen observed noted increased decreased reduced"
    " started stopped"
    " compared following due using used treated given gave include includes included including excluding save aside"
    " still instead only"
)
"""Where a scope ends: another clause, another verb, or a preposition that begins something else."""
SELECTIVE = _words(
    "mixed secondary second new further additional more recurrent similar such same simultaneous subsequent"
    " symptomatic asymptomatic severe"
    " serious major mild moderate fatal local human autochthonous single primary isolated overt great worsening"
    " increased higher lower"
)
"""Modifiers that deny only one sort of a thing: `no mixed infection`."""
GENERIC = _words("infection infections pain tumor tumors tumour tumours cancer cancers malignancy malignancies")
"""Findings that a noun before them narrows: `no malaria infection`."""
MODIFIERS = _words(
    "any a an the active acute chronic current systemic prior previous past known clinical visible detectable"
    " obvious apparent of for and or"
    " signs sign symptoms symptom evidence history further residual concurrent concomitant local bacterial viral"
)
"""Words that do not narrow it."""
GERUNDS = _words(
    "underlying existing ongoing pre-existing preexisting accompanying worsening having experiencing developing"
    " showing reporting"
)
"""Words in -ing that may follow a trigger; another one begins a verb of its own: `without causing pain`."""
HEADS = _words(
    "evidence sign signs symptom symptoms history histories complaint complaints episode episodes case cases"
    " occurrence indication"
    " indications suspicion feature features finding findings diagnosis record records report reports incidence"
    " presence development"
    " recurrence onset manifestation manifestations clue clues hint trace traces instance instances pattern area"
    " areas focus foci any"
    " attack attacks possibility suggestion complications diagnoses"
)
"""Nouns that hand a denial on to what stands behind their `of`, `for` or `suggestive of`."""
LINKS = _words("of for in suggestive suggesting indicating indicative consistent compatible with")
SEPARATORS = _words(", / or and nor & and/or")
NEUTRAL = _words(
    "symptom symptoms sign signs disease diseases disorder disorders syndrome syndromes episode episodes attack"
    " attacks infection"
    " infections history complication complications lesion lesions event events condition conditions case cases"
    " illness illnesses"
    " findings finding features manifestations recurrence recurrences exacerbation exacerbations reaction reactions"
    " complaints"
    " involvement formation onset whatsoever either too also alone elsewhere anywhere today present detected"
    " requiring attributable"
    " related associated occurring needing affecting lasting secondary documented diagnosed suggestive not again"
    " all even"
)
"""Words behind a finding that leave it the finding: `pain episodes`, but not `pain medication`."""
USES = _words(
    "use uses treatment treatments therapy therapies exposure intake administration medication medications drugs"
    " agents injection injections"
)
"""Words behind a drug or procedure that leave it what is denied."""
