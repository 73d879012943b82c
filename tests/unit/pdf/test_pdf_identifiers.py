"""Which article a PDF says it is: its own DOI, and never that of a paper that it cites."""

import pytest

from medkg_lab.pdf.identifiers import choose

OWN = "10.1000/own.2016(3)"
XMP = "<x:xmpmeta><prism:doi>10.1000/XMP</prism:doi></x:xmpmeta>"


@pytest.mark.parametrize(
    ("packets", "written", "edges", "found"),
    [
        ([], [], f"Journal 5 (2016) doi: {OWN}.\n1", {"doi": OWN}),
        ([], [], f"https://doi.org/{OWN}), PMID: 12345678", {"doi": OWN, "pmid": "12345678"}),
        ([XMP], [], f"doi:{OWN}", {"doi": "10.1000/xmp"}),
        (["<dc:identifier>https://doi.org/10.1000/a</dc:identifier>"], [], "", {"doi": "10.1000/a"}),
        ([], ["J. of Trials 2016 doi:10.1000/b"], "", {"doi": "10.1000/b"}),
        ([], ["10.1000/c"], "", {"doi": "10.1000/c"}),
        ([], [], "doi:10.1000/a and doi:10.1000/b", {}),
        (["<prism:doi>10.1000/a</prism:doi><dc:identifier>doi:10.1000/b</dc:identifier>"], [], "doi:10.1000/a", {}),
        ([], [], "doi:10.1371/journal.x.1.g001\ndoi:10.1371/journal.x.1", {"doi": "10.1371/journal.x.1"}),
        ([], ["An answer to 10.1000/z in brief"], "10.1000/bare", {}),
        ([], [], "PMID: 1, PMID: 2", {}),
    ],
)
def test_the_identifiers_that_a_pdf_gives_itself(
    packets: list[str], written: list[str], edges: str, found: dict[str, str]
) -> None:
    assert choose(packets, written, edges) == found
