"""Which publications a document cites: every identifier of its references, however a bibliography writes them."""

import pytest

from medkg_lab.models.citations import cited
from medkg_lab.models.documents import Block, BlockKind, Code, Document, Place
from medkg_lab.models.identifiers import in_reference

PLACE = Place(element="e")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bird A, Chromatin, Cell, 1999, 99, 451, 454, 10589672, 10.1016/S0092-8674(00)81532-9",
         ["pmid:10589672", "doi:10.1016/s0092-8674(00)81532-9"]),
        ("Roulet N (2006) Browning. Nature 444: 283-284. doi:10.1038/444283a. PubMed: 17108948.",
         ["doi:10.1038/444283a", "pmid:17108948"]),
        ("A. BMJ 2001;322:57. [PMID: 9] PMC1234567 https://doi.org/10.1136/BMJ.322.57",
         ["pmid:9", "pmc:PMC1234567", "doi:10.1136/bmj.322.57"]),
        ("Twice. doi:10.1/x 10.1234/a, 10.1234/A", ["doi:10.1234/a"]),
        ("Liu LF, 1987, Supercoiling, PNAS, 84, 7024, 7027. Tel. 555-1234567, ISBN 9780123456789", []),
        ("", []),
    ],
)  # fmt: skip
def test_identifiers_of_a_reference(text: str, expected: list[str]) -> None:
    assert [str(one) for one in in_reference(text)] == expected


def test_a_document_cites_what_its_references_and_codes_identify_but_not_itself() -> None:
    texts = ((BlockKind.PARAGRAPH, "We used 10.1234/method."), (BlockKind.REFERENCE, "One. 10.1234/one, 10.1234/own"))
    document = Document(
        doc_id="d:1",
        source="d",
        title="T",
        identifiers={"doi": "10.1234/own"},
        blocks=tuple(Block(kind=kind, text=text, place=PLACE) for kind, text in texts),
        codes=(
            Code(scheme="pmid", code="12", term="Someone 2020", role="reference", place=PLACE),
            Code(scheme="free", code=None, term="Someone 2021", role="reference", place=PLACE),
            Code(scheme="pmid", code="13", term="A notice", role="retraction-forward", place=PLACE),
        ),
    )
    assert [str(one) for one in cited(document)] == ["doi:10.1234/one", "pmid:12"]
