"""What redaction finds by its form, and what it must leave alone: our own invented people, and real articles."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from medkg_lab.cli.main import main
from medkg_lab.repro import archive as archives
from medkg_lab.repro import export, redaction_patterns
from medkg_lab.repro import manifest as names
from medkg_lab.repro.export import Gathered
from medkg_lab.repro.redact import redact
from medkg_lab.repro.secrets import in_text, in_value
from tests.unit.repro.worlds import incident, study, topology

PERSONAL = [
    ("write to ann.example@clinic.example", "ann.example@clinic.example"),
    (r"kurt\_zz@example.org agreed", r"kurt\_zz@example.org"),
    ("ann [at] clinic.example", "ann [at] clinic.example"),
    (r"ann\u0040clinic.example", r"ann\u0040clinic.example"),
    ("ann&commat;clinic.example", "ann&commat;clinic.example"),
    ("ann&#064;clinic.example", "ann&#064;clinic.example"),
    ("ann＠clinic.example", "ann＠clinic.example"),
    ("ann [at] clinic [dot] example", "ann [at] clinic [dot] example"),
    ("ann {at} clinic.example", "ann {at} clinic.example"),
    ("write to ann.example at clinic dot example now", "ann.example at clinic dot example"),
    ("+33 1 23 45 67 89", "+33 1 23 45 67 89"),
    ("med. rec. no. 99881", "99881"),
    ("ann@klinik-höhe.example", "ann@klinik-höhe.example"),
    ("call (555) 010-4477 now", "(555) 010-4477"),
    ("555.010.4477", "555.010.4477"),
    ("555 010 4477 or 555-010-4478 ext 3", "555 010 4477"),
    ("+49 (0)30 1234567", "+49 (0)30 1234567"),
    ("+49 30 901820-12", "+49 30 901820-12"),
    ("0049 30 901820", "0049 30 901820"),
    ("(030) 99 88 77", "(030) 99 88 77"),
    ("030-765432", "030-765432"),
    ("020 7946 0958", "020 7946 0958"),
    ("in room 12 020 7946 0958", "020 7946 0958"),
    ("01 23 45 67 89", "01 23 45 67 89"),
    ("Tel.: 99 88 776", "99 88 776"),
    ("reach her at 443-0192 after six", "443-0192"),
    ("his number is 443 0192", "443 0192"),
    ("Home: 443-0192", "443-0192"),
    ("(w) 443-0192", "443-0192"),
    ("ask for 555-0142", "555-0142"),
    ("SSN 123-45-6789", "123-45-6789"),
    ("social security number is 123456789", "123456789"),
    ("MRN: 00123456", "00123456"),
    ("MRN# A-00123456", "A-00123456"),
    ("Medical record number 4432-9981", "4432-9981"),
    ("patient ID: XK-204481", "XK-204481"),
    ("NHS number 943 476 5919", "943 476 5919"),
    ("passport no. C01X00T47", "C01X00T47"),
    ("DOB 03/12/1967", "03/12/1967"),
    ("born on 12 March 1967 in Ulm", "12 March 1967"),
    ("born 1950-03-02, was", "1950-03-02"),
    ("Date of birth: March 3, 1967", "March 3, 1967"),
    ("geboren am 12.03.1967", "12.03.1967"),
    ("lives at 221B Baker Street, London NW1 6XE", "221B Baker Street, London NW1 6XE"),
    ("Hauptstraße 12, 10115 Berlin", "Hauptstraße 12, 10115 Berlin"),
    ("Springfield, IL 62704", "Springfield, IL 62704"),
    ("from 192.168.10.4 at night", "192.168.10.4"),
    ("2001:db8::1", "2001:db8::1"),
    ("00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5E"),
    ("IBAN DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"),
    ("card 4111 1111 1111 1111", "4111 1111 1111 1111"),
    ("ORCID 0000-0002-1825-0097", "0000-0002-1825-0097"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("https://ann:s3cret@host.example/x", "ann:s3cret"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----"),
    ("Authorization: Basic YW5uOnNlY3JldA==", "YW5uOnNlY3JldA=="),
    ("with Basic YW5uOnNlY3JldA== sent", "YW5uOnNlY3JldA=="),
    ("Authorization: Basic notbase64-1", "notbase64-1"),
    ("&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D&x", "vjbyPxybdZaNmGa%2ByT272YEAiv4%3D"),
    ("signature: 9f86d081884c7d659a2feaa0c55ad015", "9f86d081884c7d659a2feaa0c55ad015"),
    ("MRN 2015-2019", "2015-2019"),
    (r"\\server\share\ann", r"\\server\share\ann"),
    ("https://portal.example/patient/12345", "12345"),
]
NAMED = [
    ("Prof. Dr. med. Abel Muster spoke", ["Abel", "Muster"]),
    ("Dr.Muster agreed", ["Muster"]),
    ("Señora Muster, Herrn Abel", ["Muster", "Abel"]),
    ("Patient Mr. Zzjones, MRN", ["Zzjones"]),
    ("Dr. Angela Zzmerkel examined Mrs. Zzmüller", ["Angela", "Zzmerkel", "Zzmüller"]),
    ("The patient, John Q. Zzsmith, was admitted", ["John", "Zzsmith"]),
    ("Principal investigator: Sarah Zzconnor", ["Sarah", "Zzconnor"]),
    ("Contact person: Zzkurt Zzberg (investigator)", ["Zzkurt", "Zzberg"]),
    ("Please call Zzanna Zzmueller at +49 30 1234567", ["Zzanna", "Zzmueller"]),
]
MEDICAL = [
    "the number of reads was 250-1000 and pages 443-4501 were reached",
    "work was done on 312-1450 cells; contact time at 37 degrees, 250-1000 rpm",
    "NCT04280705 enrolled 120 patients (10.1056/NEJMoa2034577, PMID 33301246, PMC7096777).",
    "500 mg twice daily, 2.5-5.0 mg/day, 1.5 x 10^9/L, 7.4 (95% CI 1.2-3.4), p = 0.001",
    "HbA1c 48 mmol/mol, sodium 135-145 mmol/L, eGFR 60-89 mL/min/1.73 m2, 98.6 F",
    "ISSN 0028-4793; ISBN 978-3-16-148410-0; N Engl J Med 2020;382(18):1708-20; CAS 50-78-2",
    "EC 3.4.21.69 and EC 2.7.11.31; GenBank NC_045512.2; rs1799853; CYP2C9*3; chr7:117559590-117559591",
    "GSE123456, PRJNA612345, EGAS00001000123, 2020-01-15, 12:30:45, 2020-01-15T12:30:45Z",
    "on day 0, 100 200 300 400; 1 234 567 cells; 10 000 000 copies; (2003) 12 345-350",
    "J Biol Chem (1999) 274 12345-12352; Lancet 2018; 391: 10121",
    "Vitamin B12 and H1N1; stage IV; T4 N1 M0; ward rounds; the patient was born preterm at 32 weeks",
    "basic helix-loop-helix; the signature: observation; a secret: patience",
    "The patient, however, recovered. Investigators: see the appendix. Contact: the sponsor.",
    "A gene signature: EGFR/KRAS-mutant; the 12-gene signature: TNFRSF9; mutational signature=COSMIC-SBS4 and SBS13",
    "basic fibroblast-growth-factor-2; basic characteristics.12; basic pH-dependent transport; Basic helix-loop-helix-40",
    "Hospital 2015-2019, policy 2016-2020, insurance 2012/13, licence 2001/20/EC, case record 1990-1995",
    "1 000 000 000 copies; 2 000 000 000 cells per kg; serial 10-20-40 mg doses; chart 12-24-36 weeks",
    "MRN was recorded; date of birth and sex; SSN of subjects were not kept",
]


@pytest.mark.parametrize(("text", "secret"), PERSONAL)
def test_a_form_is_found_whole(text: str, secret: str) -> None:
    found = {one.text for one in in_text(text)}
    assert any(secret in one for one in found), found


@pytest.mark.parametrize(("text", "parts"), NAMED)
def test_a_name_is_found_after_a_title_or_a_label(text: str, parts: list[str]) -> None:
    assert set(parts) <= {one.text for one in in_text(text) if one.kind == "name"}


@pytest.mark.parametrize("text", MEDICAL)
def test_medical_text_is_left_alone(text: str) -> None:
    assert in_text(text) == set()
    assert list(redaction_patterns.left(text, ())) == []


def test_fields_that_are_a_persons_are_found_by_their_names() -> None:
    value = {
        "patient": "John Zzsmith",
        "birthDate": "1967-03-12",
        "mrn": "55-1",
        "officials": [{"name": "Jane Zzroe, MD"}],
    }
    assert {one.text for one in in_value(value)} == {"John", "Zzsmith", "1967-03-12", "55-1", "Jane", "Zzroe"}
    assert in_value({"patient": "120 people with gout took 5 mg"}) == set()


@pytest.mark.skipif("MEDKG_SHARED_DATA" not in os.environ, reason="MEDKG_SHARED_DATA names no folder of documents")
def test_real_articles_lose_contacts_and_little_else(request: pytest.FixtureRequest) -> None:
    counts: Counter[str] = Counter()
    files = sorted((Path(os.environ["MEDKG_SHARED_DATA"]) / "jats").rglob("*.*xml"))
    files = files if request.config.getoption("--full") else files[::4]
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        counts.update(kind for _, kind, _ in redaction_patterns.found(text))
        counts["name"] += len(list(redaction_patterns.people(text)))
        assert list(redaction_patterns.left(text, ())) == []
    # In all of them: contacts and addresses of authors, whom acknowledgements thank, and ORCID iDs; nothing of the medicine.
    per_article = {kind: count / len(files) for kind, count in counts.items()}
    assert per_article["e-mail"] > 1
    assert per_article["phone"] < 1
    assert per_article["name"] < 1
    assert per_article["address"] < 1
    assert per_article["personal number"] < 0.5
    assert set(counts) <= {"e-mail", "phone", "name", "address", "personal number"}


def test_prose_is_redacted_everywhere_and_ordinary_words_stay(tmp_path: Path) -> None:
    told = (
        "Mr. White and Dr. Zzberg agreed. White cells and the white blood count of Zzberg were counted. MRN 00123456."
    )
    after = redact(incident(tmp_path, [study("NCT70000095", told)], topology())).archive
    packed = b"\n".join(after.members.values())
    assert b"Zzberg" not in packed
    assert b"00123456" not in packed
    assert b"white blood count" in packed


def test_a_label_whose_value_nothing_knows_stops_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = incident(tmp_path, [study("NCT70000096", "The DOB is 1967w11 and the MRN x12.")], topology())
    monkeypatch.setattr(export, "gather", lambda *_, **__: Gathered(made, ()))
    out = tmp_path / "a.mklab"
    command = ["repro", "export", "any", "--out", str(out), "--home", str(tmp_path / "home")]
    assert main([*command, "--redact"]) == 4
    told = capsys.readouterr().err
    assert "1967w11" in told
    assert "--redact-incomplete" in told
    assert not out.exists()
    assert main([*command, "--redact", "--preview", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["unsure"]) >= 1
    assert main([*command, "--redact", "--redact-incomplete"]) == 0
    assert "not de-identification" in capsys.readouterr().err
    report = json.loads(archives.read(out).members[names.REDACTION])
    assert report["unsure"] >= 1
    assert "names in running text" in " ".join(report["not_sought"])
