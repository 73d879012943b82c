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
from medkg_lab.repro.manifest import JobEntry, Manifest, entries
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.redact import RedactionIncomplete, redact
from medkg_lab.repro.rerecord import rerecord
from medkg_lab.repro.secrets import Pseudonyms, Secret, in_text, in_value
from medkg_lab.repro.workbench import Workbench
from medkg_lab.sources.exchanges import request_key
from tests.unit.repro.worlds import archive_of, event, incident, sha, study, topology

letters = st.text("abcdefghijklmnopqrstuvwxyz", min_size=5, max_size=10)
emails = st.builds(lambda a, b, c: f"{a}.{b}@{c}.example.org", letters, letters, letters)
phones = st.builds(lambda a, b: f"+44 {a} {b}", st.integers(200, 999), st.integers(1000000, 9999999))
tokens = st.builds(lambda a: f"sk-{a}", st.text("abcdefABCDEF0123456789", min_size=24, max_size=30))
paths = st.builds(lambda a, b: f"/home/{a}/{b}.pdf", letters, letters)
# No part of a name may be a part of the archive's own words: a person called Topology is refused, as another test shows.
people = st.builds(lambda a, b: f"{a.capitalize()}qx {b.capitalize()}zz", letters, letters)


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
    left = whole(found).lower()
    forms = [*secrets.values(), *secrets["person"].split(), secrets["email"].replace("@", "%40")]
    for form in forms:
        for encoding in ("utf-8", "utf-16-le"):
            assert form.lower().encode(encoding) not in left, form
    assert found.manifest.redacted is not None
    assert set(found.manifest.redacted.counts) >= {"e-mail", "name", "path", "phone", "token"}


def test_a_name_that_is_a_word_of_the_archive_itself_is_refused() -> None:
    secrets = {"person": "Topology Lovelacezz", "email": "ada@x.example.org", "phone": "+44 200 1234567"}
    with pytest.raises(RedactionIncomplete, match="so nothing was written"):
        redact(planted({**secrets, "token": "sk-" + "a1" * 12, "path": "/home/ada/x.pdf"}))


PLACES = (
    "content name",
    "artifact key",
    "artifact value",
    "artifact text",
    "nested json",
    "xml attribute",
    "html",
    "latin-1 xml",
    "utf-16 with mark",
    "pdf metadata",
    "chunk id",
    "chunk heading",
    "embeddings' chunk id",
    "embeddings' model",
    "event reason",
    "event evidence",
    "event actor's words",
    "request url",
    "final url",
    "request body",
    "answer header name",
    "answer header value",
    "error text",
    "error field",
    "topic key",
    "topic value",
    "topic header name",
    "topic header value",
    "topology description",
    "policies content",
    "settings",
    "vocabulary",
    "manifest reason",
    "manifest document",
    "manifest missing",
)


def with_secret(place: str, secret: str) -> Archive:
    """An archive that holds `secret` in one place."""

    def here(name: str, otherwise: str = "none") -> str:
        return f"see {secret} here" if place == name else otherwise

    chunk = {"chunk_id": here("chunk id", "d#0"), "text": "Text.", "headings": [here("chunk heading")]}
    head = {"chunk_ids": [here("embeddings' chunk id", "d#0")], "dimension": 1, "model": here("embeddings' model", "m")}
    blobs = [
        json.dumps({here("artifact key", "k"): 1}).encode(),
        json.dumps({"k": [{"v": here("artifact value")}]}).encode(),
        here("artifact text").encode(),
        json.dumps({"raw": json.dumps({"deep": json.dumps([here("nested json")])})}).encode(),
        f'<article n="{here("xml attribute")}"/>'.encode(),
        f"<!DOCTYPE html><p>{here('html')}</p>".encode(),
        f"<?xml version='1.0' encoding='ISO-8859-1'?><a>é {here('latin-1 xml')}</a>".encode("latin-1"),
        here("utf-16 with mark").encode("utf-16"),
        f"%PDF-1.7\n<< /Author ({here('pdf metadata')}) >>".encode(),
        json.dumps([chunk]).encode(),
        json.dumps(head).encode() + b"\n\x00\x00\x80\x3f",
        json.dumps({"input": [here("request body")]}).encode(),
    ]
    asked, url = blobs[-1], f"http://127.0.0.1:9/q?x={here('request url')}"
    exchange = {
        "key": request_key("POST", url, asked),
        "method": "POST",
        "url": url,
        "started": 1.0,
        "ms": 1.0,
        "status": 200,
        "headers": {here("answer header name", "x"): here("answer header value")},
        "body": sha(blobs[0]),
        "final_url": f"http://127.0.0.1:9/{here('final url')}",
        "error": here("error text", ""),
        "error_fields": {"detail": here("error field")},
        "labels": {"job": "j", "stage": "ingest"},
        "size": len(blobs[0]),
        "kept": True,
        "asked": sha(asked),
        "seq": 1,
    }
    named = {"submission": {"content": {"name": here("content name"), "sha256": sha(blobs[0])}}}
    events = [
        event(1, "job.submitted", ["j"], {"specs": [named]}),
        event(2, "gate.opened", ["j"], {"by": "pdf", "why": here("event actor's words"), "how": "manual"}),
        event(3, "job.failed", ["j"], {"reason": here("event reason"), "evidence": {"log": [here("event evidence")]}}),
    ]
    record = {"key": here("topic key"), "value": here("topic value"), "headers": {}}
    record["headers"] = {here("topic header name", "h"): here("topic header value")}
    described = topology().model_copy(update={"description": here("topology description")})
    fields = {"tenant_id": "t", "pipeline": "p", "pipeline_version": "1", "state": "failed"}
    job = JobEntry(job_id="j", doc_id=here("manifest document", "d"), reason=here("manifest reason"), **fields)
    content = json.dumps({"note": here("policies content")})
    further = {
        "topics/t.jsonl": orjson.dumps(record) + b"\n",
        "definitions/policies/p+2.json": line({"name": "p", "version": "2", "seq": 5, "content": content}),
        f"vocabularies/{'0' * 12}.tsv": f"mesh:D1\tX\t{here('vocabulary')}\n".encode(),
        names.SETTINGS: json.dumps({"sources": {"x": {"note": here("settings")}}}).encode(),
    }
    made = archive_of(events, blobs, [described], [job], [exchange], **further)
    missing = (here("manifest missing"),)
    return Archive(made.manifest.model_copy(update={"missing": missing}), made.members)


def line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value) + b"\n"


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(secret=emails | phones | tokens | paths)
def test_a_secret_in_one_place_alone_is_found_there(tmp_path: Path, place: str, secret: str) -> None:
    planted_here = with_secret(place, secret)
    forms = [secret.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")]
    forms.append(json.dumps(secret)[1:-1].encode())
    assert any(form in whole(planted_here) for form in forms)
    path = tmp_path / f"{sha(secret.encode())}.mklab"
    path.unlink(missing_ok=True)
    archives.write(path, redact(planted_here).archive)
    left = whole(archives.read(path)).lower()
    assert [form for form in forms if form.lower() in left] == []


def whole(archive: Archive) -> bytes:
    """Every byte that an archive unpacks to, with the names of its members."""
    return archive.manifest.encode() + b"".join(f"{name} ".encode() + data for name, data in archive.members.items())


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
    redacted = rerecord(whole, redact(whole).archive)
    assert b"Ravenscroft" not in b"".join(redacted.members.values())
    bench = Workbench.of(redacted, locate(tmp_path / "desk"))
    run = bench.run(ReplayOverrides())
    assert run.states == {whole.manifest.jobs[0].job_id: "completed"}
    assert bench.compare(run.id).divergences == []


def test_people_who_are_called_as_formats_call_their_fields_change_no_format(tmp_path: Path) -> None:
    named = [{"name": name, "role": "CONTACT"} for name in ("Larry Page", "Ann Jobs", "Bea Stage", "Cy Key", "Di Data")]
    text = "Larry Page and Ann Jobs treat adults with type 2 diabetes. They take metformin on this page."
    made = incident(tmp_path, [study("NCT70000002", text, contactsLocationsModule={"centralContacts": named})])
    redacted = rerecord(made, redact(made).archive)
    left = b"".join(redacted.members.values())
    assert re.findall(rb"\b(?:Larry|Page|Jobs|Stage|Key|Data)\b", left) == []
    assert b"on this page" in left
    bench = Workbench.of(redacted, locate(tmp_path / "desk"))
    assert bench.compare(bench.run(ReplayOverrides()).id).divergences == []


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
        ("dose 2.5-5.0 mg/day; p=0.001; PMID 33301246; EC 3.4.21.69", set()),
        ("from 192.168.1.20", {"network address"}),
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
    assert {one.text for one in in_value(value)} == {"Bo", "Li"}
    made = Pseudonyms([Secret("Li", "name", word=True)], b"key", frozenset({"cohen"}))
    assert made.applied("Li and lithium, li") == f"{made.applied('Li')} and lithium, li"
    assert Pseudonyms([Secret("Cohen", "name", word=True)], b"k", frozenset({"cohen"})).applied("Cohen") == "Cohen"


def test_the_manifest_of_what_was_not_redacted_stays_as_it_is() -> None:
    made = archive_of([], [b'{"a": 1}'], [topology()], [])
    after = redact(made).archive
    assert after.members[names.ARTIFACTS + sha(b'{"a":1}')] == b'{"a":1}'
    assert isinstance(after.manifest, Manifest)
