"""Terms that name something else than the vocabulary says."""

import pytest

from tests.unit.extract.test_extract_structured import chunk, extract


@pytest.mark.parametrize(
    "text",
    [
        "HEARING AIDS were used; first AIDS kits.",
        "Anti-HIV drugs, anti-obesity drug, non-diabetic retinopathy and non-asthma controls.",
        "The National Cancer Institute, the National Comprehensive Cancer Network and the American Heart Failure Society agreed.",
        "Institute of Cancer Research; Foundation for Asthma.",
        "There was depression of the ST segment and ST-segment depression.",
        "Washed in TBS-T and TBS at a multiplicity of infection of 5.",
        "Tumour necrosis factor rose; the tumor suppressor fell.",
        "Statistical stroke work index rose; the iron curtain fell.",
        "Mindful memoization (MM) was used; MM won.",
        "Asthma UK, Cancer Research UK and the World Stroke Organization paid.",
        "The CANCER trial and the STROKE-AF study; pre-diabetes and pseudo-gout.",
        "Registry number: NCT01234567\nPatient registry: yes",
    ],
)
def test_what_looks_like_a_term_is_none(text: str) -> None:
    assert {mention.text for mention in extract(chunk(text)).mentions} == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cancer patients in Boston and Depression in youth.", ["Cancer", "Depression"]),
        ("AIDS and TB, many TBs.", ["AIDS", "TB", "TBs"]),
        ("Stroke was common; tumor size.", ["Stroke", "tumor"]),
        ("5-FU and 5-fluorouracil", ["5-FU", "5-fluorouracil"]),
        (
            "SBMA (spinal and bulbar muscular atrophy) is rare; SBMA.",
            ["SBMA", "spinal and bulbar muscular atrophy", "SBMA"],
        ),
        ("rheumatoid arthritis (RA) and room air (RA): RA.", ["rheumatoid arthritis"]),
        ("Asthma: none. Gout registry", ["Asthma", "Gout"]),
    ],
)
def test_what_is_a_term_stays(text: str, expected: list[str]) -> None:
    found = [mention.text for mention in extract(chunk(text)).mentions]
    assert found == expected
