"""Whatever people write around an identifier, it is the same identifier; anything else is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.models.identifiers import Identifier, Scheme, parse

OLD_DOI = "10.1002/(sici)1097-0258(19980815/30)17:15/16<1661::aid-sim968>3.0.co;2-2"
"""As publishers made DOIs of serial item identifiers: with brackets, angles and semicolons."""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("NCT01234567", "nct:NCT01234567"),
        ("nct01234567.", "nct:NCT01234567"),
        (" NCT 01234567 ", "nct:NCT01234567"),
        ("NCT-01234567", "nct:NCT01234567"),
        ("NCT: NCT01234567", "nct:NCT01234567"),
        ("ClinicalTrials.gov identifier: NCT01234567", "nct:NCT01234567"),
        ("ClinicalTrials.gov number, NCT01234567", "nct:NCT01234567"),
        ("clinicaltrials:NCT01234567", "nct:NCT01234567"),
        ("https://clinicaltrials.gov/study/NCT01234567?term=gout&rank=1", "nct:NCT01234567"),
        ("clinicaltrials.gov/ct2/show/NCT01234567", "nct:NCT01234567"),
        ("https://clinicaltrials.gov/api/v2/studies/nct01234567", "nct:NCT01234567"),
        ("NCT1234567", None),
        ("NCT012345678", None),
        ("PMC5676196.4", "pmc:PMC5676196"),
        ("PMC 1234567", "pmc:PMC1234567"),
        ("pmc1234567,", "pmc:PMC1234567"),
        ("PMCID: PMC1234567", "pmc:PMC1234567"),
        ("PMCID:1234567", "pmc:PMC1234567"),
        ("pmc:PMC1234567", "pmc:PMC1234567"),
        ("https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1234567/", "pmc:PMC1234567"),
        ("https://www.ncbi.nlm.nih.gov/pmc/articles/1234567/", "pmc:PMC1234567"),
        ("https://pmc.ncbi.nlm.nih.gov/articles/PMC1234567/pdf/main.pdf", "pmc:PMC1234567"),
        ("europepmc.org/article/PMC/PMC1234567", "pmc:PMC1234567"),
        ("PMC", None),
        ("PMC0", None),
        ("PMC1234567.nxml", None),
        ("10.1371/Journal.pone.0001234", "doi:10.1371/journal.pone.0001234"),
        ("doi:10.1371/journal.pone.0001234.", "doi:10.1371/journal.pone.0001234"),
        ("DOI: 10.1371/journal.pone.0001234", "doi:10.1371/journal.pone.0001234"),
        ("doi: https://doi.org/10.1371/journal.pone.0001234", "doi:10.1371/journal.pone.0001234"),
        ("https://dx.doi.org/10.1016/S0140-6736(05)67889-6", "doi:10.1016/s0140-6736(05)67889-6"),
        ("(https://doi.org/10.1016/S0140-6736(05)67889-6).", "doi:10.1016/s0140-6736(05)67889-6"),
        ("https://doi.org/10.1016%2FS0140-6736%2805%2967889-6", "doi:10.1016/s0140-6736(05)67889-6"),
        ("info:doi/10.1000/182", "doi:10.1000/182"),
        ("urn:doi:10.1000/182", "doi:10.1000/182"),
        (f"<{OLD_DOI.upper()}>", f"doi:{OLD_DOI}"),
        ("https://www.nejm.org/doi/full/10.1056/NEJMoa2001017", "doi:10.1056/nejmoa2001017"),
        ("https://journals.plos.org/plosone/article?id=10.1371/journal.pone.0001234", "doi:10.1371/journal.pone.0001234"),
        ("https://www.medrxiv.org/content/10.1101/2020.01.01.20000026v2.full.pdf", "doi:10.1101/2020.01.01.20000026"),
        ("10.1101/2020.01.01.20000026v2", "doi:10.1101/2020.01.01.20000026"),
        ("10.1371/journal", "doi:10.1371/journal"),
        ("10.12/x", None),
        ("10.1371", None),
        ("10.1371/a b", None),
        ("18276894", "pmid:18276894"),
        ("PMID: 18276894.", "pmid:18276894"),
        ("PubMed PMID: 18276894", "pmid:18276894"),
        ("PMC5676196v2", "pmc:PMC5676196"),
        ("pmid 18276894", "pmid:18276894"),
        ("PubMed ID 18276894", "pmid:18276894"),
        ("pubmed:18276894", "pmid:18276894"),
        ("https://pubmed.ncbi.nlm.nih.gov/18276894/", "pmid:18276894"),
        ("https://pubmed.ncbi.nlm.nih.gov/?term=18276894", "pmid:18276894"),
        ("http://www.ncbi.nlm.nih.gov/pubmed/18276894", "pmid:18276894"),
        ("https://europepmc.org/article/MED/18276894", "pmid:18276894"),
        ("https://identifiers.org/pubmed:18276894", "pmid:18276894"),
        ("１８２７６８９４", "pmid:18276894"),
        ("123456789", None),
        ("2020.5", None),
        ("", None),
        ("gout", None),
        ("metformin 500", None),
        ("https://example.org/study", None),
        ("NCT01234567 and NCT01234568", None),
    ],
)  # fmt: skip
def test_identifiers_are_read_as_people_write_them(written: str, expected: str | None) -> None:
    found = parse(written)
    assert (found and str(found)) == expected


def test_versions_are_told_and_are_not_part_of_the_identifier() -> None:
    assert parse("PMC5676196.4") == Identifier(Scheme.PMC, "PMC5676196", 4)
    assert parse("10.1101/2020.01.01.20000026v2") == Identifier(Scheme.DOI, "10.1101/2020.01.01.20000026", 2)


def test_bare_numbers_may_be_words_of_a_query() -> None:
    assert parse("18276894", bare_numbers=False) is None
    assert parse("PMID 18276894", bare_numbers=False) == Identifier(Scheme.PMID, "18276894")


NUMBERS = st.integers(1, 99_999_999)
SUFFIXES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_/", min_size=1, max_size=20).map(lambda text: f"a{text}0")
IDENTIFIERS = st.one_of(
    NUMBERS.map(lambda number: Identifier(Scheme.NCT, f"NCT{number:08d}")),
    NUMBERS.map(lambda number: Identifier(Scheme.PMC, f"PMC{number}")),
    NUMBERS.map(lambda number: Identifier(Scheme.PMID, str(number))),
    st.builds(lambda prefix, end: Identifier(Scheme.DOI, f"10.{prefix}/{end}"), st.integers(1200, 99999), SUFFIXES),
)
ADDRESSES = {
    Scheme.NCT: ["https://clinicaltrials.gov/study/{}", "http://www.clinicaltrials.gov/ct2/show/{}?rank=2"],
    Scheme.PMC: ["https://pmc.ncbi.nlm.nih.gov/articles/{}/", "www.ncbi.nlm.nih.gov/pmc/articles/{}/pdf/"],
    Scheme.PMID: ["https://pubmed.ncbi.nlm.nih.gov/{}/", "ncbi.nlm.nih.gov/pubmed/{}"],
    Scheme.DOI: ["https://doi.org/{}", "http://dx.doi.org/{}", "doi:{}", "DOI {}"],
}


@given(IDENTIFIERS, st.data())
def test_what_stands_around_an_identifier_does_not_change_it(one: Identifier, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(["{}", f"{one.scheme}:{{}}", *ADDRESSES[one.scheme]])).format(one.value)
    text = data.draw(st.sampled_from([text, text.lower(), text.upper() if "://" not in text else text]))
    around = data.draw(
        st.sampled_from(["{}", " {}\n", "({})", "<{}>", '"{}"', "[{}]", "{}.", "{},", "{};", "({}).", "\ufeff{}"])
    )
    found = parse(around.format(text))
    assert found == one
    assert parse(str(one)) == one


@given(st.text(max_size=60))
def test_any_text_gives_an_identifier_that_reads_as_itself_or_none(text: str) -> None:
    found = parse(text)
    assert found is None or parse(str(found)) == Identifier(found.scheme, found.value)
