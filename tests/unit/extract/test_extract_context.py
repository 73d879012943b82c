"""What a sentence says of its findings: `[fever|-]` is absent, `+` there, `?` possible, `f` a relative's; `{aspirin|-}` a
drug."""

import re

import pytest

from medkg_lab.stages.extract.context import Assertion, Target, assertions

_MARK = re.compile(r"([\[{])([^|\]}]+)\|([+\-?f])[\]}]")
_SIGNS = {Assertion.PRESENT: "+", Assertion.ABSENT: "-", Assertion.POSSIBLE: "?", Assertion.FAMILY: "f"}


def read(marked: str) -> tuple[str, list[Target], list[str]]:
    """The plain sentence, its targets, and what is expected of each."""
    text, targets, expected = "", [], []
    reached = 0
    for match in _MARK.finditer(marked):
        text += marked[reached : match.start()]
        finding = match[1] == "["
        targets.append(Target(len(text), len(text) + len(match[2]), finding, not finding))
        expected.append(match[3])
        text += match[2]
        reached = match.end()
    return text + marked[reached:], targets, expected


SENTENCES = """
The patient had no [chest pain|-] but has [fever|+].
{Blood transfusion|+}: no. [Diabetes|-]: none. [Stroke|-]: absent; [seizures|-] = no; [fever|+]: yes.
{Aspirin|+} did not cause [bleeding|+].
She has neither [fever|-] nor [cough|-]. Neither [stroke|-] nor [myocardial infarction|-] was observed.
There was no increase in [headache|+], no risk of [stroke|+], no effect on [pain|+] and no cure for [cancer|+].
No history of [stroke|-], [diabetes|-], [asthma|-], [gout|-], or [psoriasis|-] was reported by any of them.
Absence of [anemia|-], [leukopenia|-] and [thrombocytopenia|-]; [sepsis|+] was present.
Patients without [diabetes|-] who developed [nausea|+] were counted.
Not only [depression|+] but also [anxiety|+] improved.
Family history: mother had [breast cancer|f]. Her sister has [asthma|f], but she has [gout|+].
No family history of [diabetes|f].
It was stopped because of no efficacy in [Alzheimer disease|+].
No patient died of [heart failure|-]; [hypotension|+] occurred in four.
None of the 24 patients had [diarrhea|-] or [vomiting|-]. No one developed [anemia|-]. One had [rash|+] but none had [fever|-].
Ruled out: [tuberculosis|-]. Confirmed: [sarcoidosis|+].
No adverse effects other than [nausea|+] were seen. He had no complaints apart from [fatigue|+]. No symptoms except [itching|+].
[Vomiting|-] never occurred. [Diarrhea|-] did not occur in any patient. A maculopapular [rash|-] was not observed.
[Obesity|+] was not associated with [asthma|+].
[Fever|-], [cough|-] and [headache|-] were absent. He had [fever|+], and [cough|-] was absent.
The effect of [asthma|+] was not seen. A link between [cancer|+] and diet is lacking. Evidence of [gout|-] was not found.
On this scale 0 = no [pain|+] and 10 = worst [pain|+]. Ends were marked "no [pain|+]" and "unbearable".
The VAS ranges from 0 (no [pain|+]) to 100 mm. Absence of [pain|+] = 0 mm.
{MRI|+} is not as sensitive as {CT|+} for [stroke|+]. [Flu|+] is no more frequent than [gout|+].
The agency has not approved {aspirin|+} for [migraine|+].
There was no evidence of [pneumonia|-] or [sepsis|-], and no evidence that [gout|+] matters.
Suspected [pneumonia|?] was treated. If [fever|?] develops, stop {aspirin|+}. In case of [bleeding|?], call.
[Pneumonia|-] was ruled out. [Pneumonia|?] could not be ruled out. We cannot exclude [sepsis|?].
Patients did not receive {aspirin|-}. No prior {aspirin|-} use. No {aspirin|+} study exists.
It does not cause {aspirin|+} levels to rise.
Patients with or without [asthma|+] and the presence or absence of [gout|+] were noted, whether or not [fever|+] was there.
No [pain|+] medication, no [cancer|+] cells, no [stroke|+] unit, but no [pain|-] symptoms.
NO and [fever|+] were measured; NO [fever|+] curve. NO KNOWN [ASTHMA|-].
He was free of [pain|-] and denies [nausea|-], [vomiting|-], and [shortness of breath|-].
It acts without causing [hypoglycemia|+]. No mixed [infection|+] was found. No malaria [infection|+]; no signs of [infection|-].
Treat if he has no [fever|+] or unless there is no [rash|+].
In the absence of [infection|+] cells divide. It is not known whether [gout|+] matters.
The child was afebrile, without [rash|-], [cough|-] (dry) or [vomiting|-] on day 3 and with [otitis|+].
The scan did not show any [infarction|-] or [hemorrhage|-]. He was not diagnosed with [epilepsy|-]. She never had [jaundice|-].
[Hypertension|-] (-), [diabetes|+] (+). History of [asthma|-] - none.
[HIV infection|-] negative donors; [hepatitis C|-]-negative patients; [gout|+].
Neither [diabetes|+] nor [hypertension|+] was associated with [stroke|+]. Neither [gout|-] nor [fever|-] was seen.
There is no history of [breast cancer|f] in the family. In the family, no [diabetes|f] was known. [Asthma|f] in her mother.
Without treatment, [sepsis|+] is fatal. He was without [fever|-], [cough|-] or [rash|-].
She is not known to have [epilepsy|-]. It is not known whether [gout|+] matters.
[Infection|?] was unlikely. R/o [pneumonia|?]. [Pulmonary embolism|-] ruled out by CT; it could not be ruled out.
Zero patients had [anaphylaxis|-]. There were 0 cases of [hepatitis|-]; 5.0 patients had [asthma|+].
[Anaphylaxis|-] occurred in none of the patients. [Stroke|-] was seen in no patient; [gout|+] occurred in four.
Negative for [HIV infection|-] and [hepatitis C|-] by PCR in [cirrhosis|+].
"""


@pytest.mark.parametrize("marked", [line for line in SENTENCES.splitlines() if line])
def test_what_is_said_of_findings(marked: str) -> None:
    text, targets, expected = read(marked)
    found = assertions(text, targets)
    said = [f"{text[one.start : one.end]} {_SIGNS[found.get(one, Assertion.PRESENT)]}" for one in targets]
    assert said == [f"{text[one.start : one.end]} {sign}" for one, sign in zip(targets, expected, strict=True)]


def test_a_scope_has_an_end() -> None:
    """A text of many triggers is read in time that grows with its length: each looks at its own clause."""
    text = "No " + "fever, " * 400 + "rash. "
    targets = [Target(match.start(), match.end(), True) for match in re.finditer("fever|rash", text)]
    assert len(assertions(text, targets)) < len(targets)
