"""What a person names when submitting: an id in any writing goes to the source that gives its document."""

from pathlib import Path

import pytest

from medkg_lab.lab.targets import Remote, UnknownTarget, resolve


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("PMC5676196.4", Remote("pmc", "PMC5676196")),
        ("PMC 1234567", Remote("pmc", "PMC1234567")),
        ("https://clinicaltrials.gov/study/nct01234567", Remote("clinicaltrials", "NCT01234567")),
        ("https://doi.org/10.1371/Journal.x", Remote("identifier", query="doi:10.1371/journal.x")),
        ("doi:10.1371/journal.x.", Remote("identifier", query="doi:10.1371/journal.x")),
        ("18276894", Remote("identifier", query="pmid:18276894")),
    ],
)
def test_ids_are_taken_as_people_write_them(written: str, expected: Remote) -> None:
    assert resolve(written, None, False) == expected


def test_a_named_source_takes_its_ids_in_any_writing() -> None:
    assert resolve("doi:10.1/X", "unpaywall", False) == Remote("unpaywall", "doi:10.1/X")
    assert resolve("doi:10.1234/X", "unpaywall", False) == Remote("unpaywall", "10.1234/x")
    assert resolve("PMC 12", "pmc", False) == Remote("pmc", "PMC12")
    assert resolve("12", "core", False) == Remote("core", "12")
    assert resolve("PMC 12", "pmc", True) == Remote("pmc", query="PMC 12")


def test_a_file_comes_before_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "18276894").write_text("x")
    monkeypatch.chdir(tmp_path)
    assert resolve("18276894", None, False) == Path("18276894")
    with pytest.raises(UnknownTarget):
        resolve("18276894.pdf", None, False)
