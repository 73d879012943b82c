"""Who may not take part: headings of criteria, and what a passage excludes; `[stroke|x]` is excluded, `[stroke|+]` is not."""

import re

import pytest

from medkg_lab.stages.criteria import excludes, is_heading, split_headings
from medkg_lab.stages.extract.exclusions import Exclusions

_MARK = re.compile(r"([\[{])([^|\]}]+)\|([x+])[\]}]")

EXCLUDING = """
Exclusion Criteria:
Exclusion criteria
EXCLUSION CRITERIA (any of the following):
Key Exclusion Criteria :
Non-inclusion Criteria:
Non inclusion criteria
Exclusion:
Exclusions:
Not eligible:
Excluded:
Criteria for exclusion
Exclusion criteria for all randomisations
Patients with the following will be excluded:
A participant will not be eligible for study entry if any of the following criteria are met per participant self-report:
An individual who meets any of the following criteria will be excluded from participation in this study:
Patients may not be enrolled in the study if any of the following exclusion criteria are present:
You cannot take part if you have:
Participants with any of these conditions are ineligible:
The presence of any of the following will exclude a Participant from enrollment:
Who cannot take part:
You may not join if you have:
Disqualifying conditions:
Grounds for exclusion:
Participants must not have any of the following:
"""
INCLUDING = """
Inclusion Criteria:
Key inclusion criteria
Inclusion:
Eligibility Criteria:
Participants are eligible to be included in the study only if all the following criteria apply:
In order to be eligible to participate in this study, an individual must meet all of the following criteria:
"""
NO_HEADING = """
Other protocol-defined inclusion/exclusion criteria apply
Patient meets the inclusion criteria for trial entry
Adults with gout are eligible.
Patients who refuse to participate in the study will be excluded from the study.
"""


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("line", lines(EXCLUDING))
def test_headings_of_exclusion(line: str) -> None:
    assert (is_heading(line), excludes(line)) == (True, True)


@pytest.mark.parametrize("line", lines(INCLUDING))
def test_headings_of_inclusion(line: str) -> None:
    assert (is_heading(line), excludes(line)) == (True, False)


@pytest.mark.parametrize("line", lines(NO_HEADING))
def test_sentences_are_no_headings(line: str) -> None:
    assert not is_heading(line)


def test_a_heading_of_something_else_ends_the_list() -> None:
    assert is_heading("Withdrawal criteria")
    assert excludes("Withdrawal criteria") is None
    assert is_heading("Dose-limiting stopping criteria:", is_item=True)


def test_a_heading_for_both_says_neither() -> None:
    assert is_heading("Inclusion and Exclusion Criteria:")
    assert excludes("Inclusion and Exclusion Criteria") is None
    assert excludes("Participants must be considered ineligible to receive intensive chemotherapy") is not True


def test_an_item_opens_a_list_only_when_it_speaks_of_all() -> None:
    assert is_heading("A participant will not be eligible if any of the following are met:", is_item=True)
    assert is_heading("Exclusion Criteria:", is_item=True)
    assert not is_heading(
        "Subjects with brain metastases are eligible provided they meet the following criteria:", is_item=True
    )


def test_headings_within_a_paragraph_are_found() -> None:
    parts = list(split_headings("Inclusion: adults with gout. Exclusion criteria: psoriasis, stroke"))
    assert parts == [
        ("Inclusion:", True),
        ("adults with gout.", False),
        ("Exclusion criteria:", True),
        ("psoriasis, stroke", False),
    ]
    assert [part for part, _ in split_headings("Approved by the board (MAB) Exclusion Criteria: less than 6 mm")][
        1
    ] == "Exclusion Criteria:"


LISTED = """
History of [stroke|x] or [asthma|x], including [gout|x]
[Cancer|x] (other than [carcinoma in situ|+]), [infection|x]
Chemotherapy (with the exception of {hydroxyurea|+}, {dexamethasone|+}, or {cytarabine|+}) within 14 days; {radiotherapy|x}
Unable or unwilling to undergo {MRI|+}. Contraindication to {MRI|+} or {CT|+}. Allergy to {aspirin|+}.
Prior treatment with {aspirin|x}. Current {aspirin|x} therapy, [pain|+] medication
Within 14 days of {surgery|+}; before the first dose of {daratumumab|+}
Nausea medicine for [migraine|+]; treatment of [anxiety|+]
Asymptomatic [bundle branch block|+] was allowed; [angina|x]
No recovery from [alopecia|+]; resolution of [fever|+]
Anti-[obesity|+] drugs. Unstable [angina|x] (e.g. [myocardial infarction|x])
{eGFR|+} < 30 mL/min; {ejection fraction|+} less than 30 %
Patients with [leukemia|+] are eligible.
"""


def check(marked: str, section: tuple[str, ...]) -> None:
    text, places = "", []
    reached = 0
    for match in _MARK.finditer(marked):
        text += marked[reached : match.start()]
        places.append((len(text), len(text) + len(match[2]), match[1] == "[", match[3] == "x"))
        text += match[2]
        reached = match.end()
    text += marked[reached:]
    found = Exclusions(text, section)
    said = [(text[start:end], found.excludes(start, end, finding)) for start, end, finding, _ in places]
    assert said == [(text[start:end], expected) for start, end, _, expected in places]


@pytest.mark.parametrize("marked", lines(LISTED))
def test_what_a_list_of_exclusion_criteria_excludes(marked: str) -> None:
    check(marked, ("Eligibility", "Criteria", "Exclusion Criteria"))


@pytest.mark.parametrize(
    "marked",
    [
        "Patients with [diabetes|x] or [gout|x] were excluded. They had [asthma|+].",
        "Patients were excluded if they had [asthma|x] or were on {aspirin|x}.",
        "Subjects with [stroke|x] will be excluded.",
        "We excluded patients with [cancer|x]. [Gout|+] was common.",
        "Exclusion criteria were [asthma|x] and [gout|x].",
        "People with [psoriasis|x] or a history of [stroke|x] may not take part; [gout|+] is fine.",
        "Excluded are patients with [psoriasis|x], [stroke|x], or [asthma|x]. They had [gout|+].",
        "Participants must not have [epilepsy|x] or [cancer|x]. They had [gout|+].",
        "Patients with [asthma|+] were included; mechanical exclusion of [infection|+] is hard.",
    ],
)
def test_what_sentences_exclude(marked: str) -> None:
    check(marked, ("Methods",))


def test_the_innermost_heading_counts() -> None:
    section = ("Eligibility", "Exclusion Criteria", "Inclusion Criteria")
    assert not Exclusions("gout", section).excludes(0, 4, True)
