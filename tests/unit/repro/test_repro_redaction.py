"""Redaction: no planted secret survives in any byte of the archive, and the archive still runs as recorded."""

import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg_lab.locations import locate
from medkg_lab.repro import archive as archives
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.choices import Choices
from medkg_lab.repro.manifest import JobEntry, Manifest, entries
from medkg_lab.repro.redact import redact
from medkg_lab.repro.secrets import Pseudonyms, Secret, in_text, in_value
from medkg_lab.repro.settle import settle
from medkg_lab.repro.workbench import Workbench
from medkg_lab.sources.exchanges import request_key
from tests.unit.repro.worlds import archive_of, event, incident, sha, study, topology

letters = st.text("abcdefghijklmnopqrstuvwxyz", min_size=5, max_size=10)
emails = st.builds(lambda a, b, c: f"{a}.{b}@{c}.example.org", letters, letters, letters)
phones = st.builds(lambda a, b: f"+44 {a} {b}", st.integers(200, 999), st.integers(1000000, 9999999))
tokens = st.builds(lambda a: f"sk-{a}", st.text("abcdefABCDEF0123456789", min_size=24, max_size=30))
paths = st.builds(lambda a, b: f"/home/{a}/{b}.pdf", letters, letters)
people = st.builds(lambda a, b: f"{a.capitalize()} {b.capitalize()}zz", letters, letters)


def planted(secrets: dict[str, str]) -> Archive:
    """An archive that holds the secrets in every kind of place."""
    person, email, phone, token, path = (secrets[name] for name in ("person", "email", "phone", "token", "path"))
    contact = {"name": person, "email": email, "phone": phone, "role": "CONTACT"}
    record = {"contactsLocationsModule": {"centralContacts": [contact]}, "note": f"write to {email}, kept in {path}"}
    surname = person.split()[1]
    article = (
        f"<article><surname>{surname}</surname><email>{email.replace('@', '&#64;')}</email>{path} {phone}</article>"
    )
    middle = {"pages": [{"text": f"{person} ({email})"}], "key": {email: token}}
    blobs = [json.dumps(record).encode(), article.encode(), json.dumps(middle).encode(), b"%PDF-1.7 " + email.encode()]
    blobs.append(json.dumps({"chunk_ids": [f"doc:{email}#0"], "dimension": 1}).encode() + b"\n\x00\x00\x80\x3f")
    asked = json.dumps({"input": [f"{person} lives"]}).encode()
    blobs += [asked, article.encode("utf-16")]
    url = f"http://127.0.0.1:9/files?q={email.replace('@', '%40')}&path={path}"
    exchange = {
        "key": request_key("POST", url, asked),
        "method": "POST",
        "url": url,
        "started": 1.0,
        "ms": 1.0,
        "status": 200,
        "headers": {"content-length": "3"},
        "body": sha(blobs[0]),
        "final_url": url,
        "error": "",
        "error_fields": {},
        "labels": {"job": "j", "stage": "ingest"},
        "size": len(blobs[0]),
        "kept": True,
        "asked": sha(asked),
        "seq": 1,
    }
    opened = {"by": surname, "why": f"call {phone}", "how": "manual", "versions": [1]}
    events = [event(1, "gate.opened", ["j"], opened, stage="pdf_gate")]
    events.append(event(2, "job.failed", ["j"], {"kind": "service", "reason": f"token={token} at {path}"}))
    topic = orjson.dumps({"key": "j", "value": json.dumps(record), "headers": {"x": f"Bearer {token}"}}) + b"\n"
    job = JobEntry(
        job_id="j",
        doc_id="d",
        tenant_id="default",
        pipeline="p",
        pipeline_version="1",
        state="failed",
        reason=f"{path} of {person}",
    )
    return archive_of(events, blobs, [topology()], [job], [exchange], **{"topics/t.jsonl": topic})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    secrets=st.fixed_dictionaries({"person": people, "email": emails, "phone": phones, "token": tokens, "path": paths})
)
def test_no_planted_secret_survives_in_any_byte(
    tmp_path_factory: pytest.TempPathFactory, secrets: dict[str, str]
) -> None:
    made = redact(planted(secrets)).archive
    path = tmp_path_factory.mktemp("redacted") / "a.mklab"
    archives.write(path, made)
    found = archives.read(path)
    whole = found.manifest.encode() + b"".join(f"{name} ".encode() + data for name, data in found.members.items())
    forms = [*secrets.values(), *secrets["person"].split(), secrets["email"].replace("@", "%40")]
    for form in forms:
        for encoding in ("utf-8", "utf-16-le"):
            assert form.lower().encode(encoding) not in whole.lower(), form
    assert found.manifest.redacted is not None
    assert set(found.manifest.redacted.counts) >= {"e-mail", "name", "path", "phone", "token"}


def test_every_reference_and_request_key_follows() -> None:
    secrets = {"person": "Ada Lovelacezz", "email": "ada@x.example.org", "phone": "+44 200 1234567"}
    before = planted({**secrets, "token": "sk-" + "a1" * 12, "path": "/home/ada/x.pdf"})
    after = redact(before).archive
    [exchange] = [orjson.loads(line) for line in after.members[names.EXCHANGES].splitlines()]
    asked = after.members[f"artifacts/{exchange['asked']}"]
    assert exchange["key"] == request_key("POST", exchange["url"], asked)
    assert exchange["size"] == len(after.members[f"artifacts/{exchange['body']}"])
    for name, data in after.members.items():
        if name.startswith(names.ARTIFACTS):
            assert name == names.ARTIFACTS + sha(data)
    assert after.manifest.files == entries(after.members)
    assert redact(before).archive == after


def test_a_redacted_incident_runs_as_recorded(tmp_path: Path) -> None:
    contacts = {
        "centralContacts": [{"name": "Wilhelmina Ravenscroft", "role": "CONTACT", "email": "w@rav.example.org"}]
    }
    text = "Wilhelmina Ravenscroft treats adults with type 2 diabetes. Write to w@rav.example.org. They take metformin."
    whole = incident(tmp_path, [study("NCT70000001", text, contactsLocationsModule=contacts)])
    redacted = settle(whole, redact(whole).archive)
    assert b"Ravenscroft" not in b"".join(redacted.members.values())
    bench = Workbench.of(redacted, locate(tmp_path / "desk"))
    run = bench.run(Choices())
    assert run.states == {whole.manifest.jobs[0].job_id: "completed"}
    assert bench.compare(run.id).divergences == []


def test_a_pseudonym_has_the_shape_of_what_it_stands_for() -> None:
    secret = "Jane.Doe42@Example.org"
    made = Pseudonyms([Secret(secret, "e-mail")], b"key")
    found = made.applied(f"To {secret}, and {secret.upper()}.")
    assert len(found) == len(f"To {secret}, and {secret.upper()}.")
    shown = re.findall(r"[^ ,]+@[^ ,]+", found)
    assert re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"\d", "0", shown[0]))) == "Aaaa.Aaa00@Aaaaaaa.aaa"
    assert shown[0].lower() == shown[1].rstrip(".").lower()
    assert all(a != b for a, b in zip(shown[0], secret, strict=True) if b.isalnum())


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("NCT04000001 began on 2020-01-15 with 120 people (10.1056/NEJMoa2034577).", set()),
        ("dose 2.5-5.0 mg/day; p=0.001; PMID 33301246; 192.168.1.20", set()),
        ("call 555-123-4567 or (020) 123 4567", {"phone"}),
        ("Authorization: Bearer abcdefgh12345678", {"token"}),
        ("password=hunter22x", {"token"}),
        (r"C:\Users\jane\x.pdf and file:///home/jane/x.pdf", {"path"}),
        ("jane%40example.org", {"e-mail"}),
    ],
)
def test_what_is_a_secret_by_its_form(text: str, kinds: set[str]) -> None:
    assert {one.kind for one in in_text(text)} == kinds


def test_names_are_secrets_in_known_fields_only() -> None:
    value: dict[str, Any] = {"overallOfficials": [{"name": "Bo Li, MD"}], "name": "Placebo Arm", "by": "engine-compute"}
    assert {one.text for one in in_value(value)} == {"Bo", "Li", "MD"}
    made = Pseudonyms([Secret("Li", "name", word=True)], b"key", frozenset({"cohen"}))
    assert made.applied("Li and lithium, li") == f"{made.applied('Li')} and lithium, li"
    assert Pseudonyms([Secret("Cohen", "name", word=True)], b"k", frozenset({"cohen"})).applied("Cohen") == "Cohen"


def test_the_manifest_of_what_was_not_redacted_stays_as_it_is() -> None:
    made = archive_of([], [b'{"a": 1}'], [topology()], [])
    after = redact(made).archive
    assert after.members[names.ARTIFACTS + sha(b'{"a":1}')] == b'{"a":1}'
    assert isinstance(after.manifest, Manifest)
