"""An archive without what tells of persons or opens doors, which can still be run again.

Secrets are looked for in every part; each is then replaced everywhere by a pseudonym of its own shape. What changes gets a new
hash, and every reference to it, every request key and the manifest follow. A PDF gives way to the document that was made of it.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.repro import manifest as names
from medkg_lab.repro.archive import Archive
from medkg_lab.repro.manifest import PDF_STAND_IN, JobEntry, Manifest, Redacted, entries, lines
from medkg_lab.repro.redaction_patterns import NOT_SOUGHT, left
from medkg_lab.repro.secrets import Pseudonyms, Secret, in_text, in_value
from medkg_lab.sources.exchanges import request_key
from medkg_lab.stages.extract.vocabulary import bundled

_HASH = re.compile(r"[0-9a-f]{64}")
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")
_WORD_OF_A_FORMAT = re.compile(r"[a-z]{1,40}")
_SMALL = re.compile(r"[a-zß-öø-ÿ]{2,}(?![\w'’])")
_MARKUP = frozenset("<>&\"'")


class RedactionIncomplete(LabError):
    """Redaction would have left {count} secrets in {part}, so nothing was written. Export without `--redact` and tell what
    {part} holds."""


class RedactionUnsure(LabError):
    """{count} places have a word such as MRN, SSN or DOB with a value that no rule knows, and nothing was written: {places}. Look
    at them with `--preview`, and write the archive all the same with `--redact-incomplete`."""

    exit_code: ClassVar[int] = exit_codes.GATE_REFUSED


@dataclass(frozen=True)
class Redaction:
    """A redacted archive, and for the eyes of whoever redacts: what stands for what, by kind, and what may have been missed."""

    archive: Archive
    replaced: Mapping[str, list[tuple[str, str]]]
    unsure: tuple[str, ...] = ()


def redact(archive: Archive) -> Redaction:
    """The archive without its secrets. Raises RedactionIncomplete."""
    worker = _Redactor(archive)
    members = worker.members()
    counts = dict(sorted(worker.pseudonyms.counts.items()))
    unsure = worker.unsure()
    changed_chunks, stand_ins = worker.changed_chunks(), sorted(set(worker.stand_ins))
    report: dict[str, object] = {"counts": counts, "changed_chunks": changed_chunks, "stand_ins": stand_ins}
    report |= {"not_sought": NOT_SOUGHT, "unsure": len(unsure)}
    members[names.REDACTION] = orjson.dumps(report, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    for name, data in members.items():
        if left := worker.pseudonyms.survivors(f"{name} {_readable(data)}"):
            raise RedactionIncomplete(count=len(left), part=name)
    jobs = tuple(JobEntry(**worker.value(job.model_dump(mode="json"))) for job in archive.manifest.jobs)
    missing = tuple(worker.text(one) for one in archive.manifest.missing)
    redacted = Redacted(counts=counts, changed_chunks=tuple(changed_chunks))
    changes = {"jobs": jobs, "missing": missing, "redacted": redacted, "files": entries(members)}
    made = Manifest.model_validate({**vars(archive.manifest), **changes})
    if left := worker.pseudonyms.survivors(made.encode().decode()):
        raise RedactionIncomplete(count=len(left), part=names.MANIFEST)
    return Redaction(Archive(made, members), worker.preview(), unsure)


class _Redactor:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._blobs = {
            name.removeprefix(names.ARTIFACTS): data
            for name, data in archive.members.items()
            if name.startswith(names.ARTIFACTS)
        }
        self._new: dict[str, tuple[str, bytes]] = {}
        self.stand_ins: list[str] = []
        key = hashlib.sha256(b"".join(sorted(self._blobs.values()))).digest()
        secrets = self._secrets()
        self.pseudonyms = Pseudonyms(secrets, key, _medical_words(), self._own_words(), self._ordinary_words(secrets))

    def members(self) -> dict[str, bytes]:
        """All members anew, with their hashes."""
        made = {}
        for sha256 in self._blobs:
            name, data = self._blob(sha256)
            made[f"{names.ARTIFACTS}{name}"] = data
        for name, data in self._archive.members.items():
            if name == names.EXCHANGES:
                made[name] = lines([self._exchange(json.loads(line)) for line in data.splitlines()])
            elif name.endswith(".jsonl"):
                made[name] = lines([self.value(json.loads(line)) for line in data.splitlines()])
            elif name.endswith(".json"):
                made[name] = orjson.dumps(self.value(json.loads(data)), option=orjson.OPT_SORT_KEYS)
            elif not name.startswith(names.ARTIFACTS):
                made[name] = self.text(data.decode()).encode()
        return dict(sorted(made.items()))

    def changed_chunks(self) -> list[str]:
        """The passages whose text is another now, by their new ids."""
        found: set[str] = set()
        for sha256, old in self._blobs.items():
            before, after = _json(old), _json(self._blob(sha256)[1])
            if isinstance(before, list) and isinstance(after, list):
                pairs = zip(before, after, strict=True)
                found |= {
                    str(new["chunk_id"])
                    for one, new in pairs
                    if isinstance(one, dict) and "chunk_id" in one and one.get("text") != new.get("text")
                }
        return sorted(found)

    def preview(self) -> dict[str, list[tuple[str, str]]]:
        """What stands for what, by kind."""
        found: dict[str, list[tuple[str, str]]] = {}
        for one in self.pseudonyms.secrets:
            found.setdefault(one.kind, []).append((one.text, self.pseudonyms.applied(one.text)))
        return dict(sorted(found.items()))

    def unsure(self) -> tuple[str, ...]:
        """Where a label such as MRN has a value behind it that is not a secret by any rule."""
        known = {one.text.lower() for one in self.pseudonyms.secrets}
        return tuple(dict.fromkeys(place for text in self._texts() for place in left(text, known)))

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, its hashes renewed."""
        match value:
            case dict():
                made = {self.text(str(key)): self.value(inner) for key, inner in value.items()}
                return self._resized(value, made)
            case list():
                return [self.value(inner) for inner in value]
            case str():
                inner = _json(value.encode()) if value[:1] in ("{", "[") else None
                if isinstance(inner, dict | list):
                    return json.dumps(self.value(inner), ensure_ascii=False, separators=(",", ":"))
                return self.text(value)
            case _:
                return value

    def text(self, text: str) -> str:
        """A text without secrets, its hashes renewed."""
        return self.pseudonyms.applied(_HASH.sub(lambda match: self._renamed(match.group()), text))

    def _renamed(self, sha256: str) -> str:
        return self._blob(sha256)[0] if sha256 in self._blobs else sha256

    def _resized(self, old: Mapping[str, Any], made: dict[str, Any]) -> dict[str, Any]:
        """Where an object gives a blob with its size, the size follows."""
        sha256 = old.get("sha256")
        if isinstance(sha256, str) and sha256 in self._blobs and isinstance(old.get("size"), int):
            made["size"] = len(self._blob(sha256)[1])
        return made

    def _exchange(self, record: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = self.value(record)
        asked = self._blob(record["asked"])[1] if record["asked"] in self._blobs else b""
        made["key"] = request_key(made["method"], made["url"], asked)
        if record["body"] in self._blobs:
            made["size"] = len(self._blob(record["body"])[1])
        if "content-length" in made["headers"]:
            made["headers"]["content-length"] = str(made["size"])
        return made

    def _blob(self, sha256: str) -> tuple[str, bytes]:
        if sha256 not in self._new:
            # What names itself would never end; nothing does, as its hash would have to be known before it is made.
            data = self._rewritten(sha256, self._blobs[sha256])
            self._new[sha256] = (hashlib.sha256(data).hexdigest(), data)
        return self._new[sha256]

    def _rewritten(self, sha256: str, data: bytes) -> bytes:
        if b"%PDF-" in data[:1024]:
            return self._placeholder(sha256, PDF_STAND_IN)
        if (value := _json(data)) is not None:
            return orjson.dumps(self.value(value))
        if (vectors := _vectors(data)) is not None:
            described, numbers = vectors
            return orjson.dumps(self.value(described)) + b"\n" + numbers
        if (decoded := _decoded(data)) is None:
            return self._placeholder(sha256, b"redacted ")
        text, encoding = decoded
        return self.text(_plain_markup(text)).encode(encoding, "xmlcharrefreplace")

    def _placeholder(self, sha256: str, mark: bytes) -> bytes:
        name = hashlib.sha256(b"stand-in" + sha256.encode()).hexdigest()[:12]
        self.stand_ins.append(name)
        return mark + name.encode() + b"\n"

    def _secrets(self) -> set[Secret]:
        told = self._archive.manifest
        found = in_value([*(job.model_dump(mode="json") for job in told.jobs), *told.missing])
        for name, data in self._archive.members.items():
            found |= in_text(name)
            for part in data.splitlines() if name.endswith(".jsonl") else (data,):
                found |= _secrets_in(part)
        return found

    def _texts(self) -> Iterator[str]:
        """Every text of the archive, those within JSON one by one."""
        for name, data in self._archive.members.items():
            for part in data.splitlines() if name.endswith(".jsonl") else (data,):
                yield from _texts_in(part)

    def _ordinary_words(self, secrets: set[Secret]) -> frozenset[str]:
        """Of the names that were found in sentences, those that the texts use as words in small letters."""
        spoken = {one.text.lower() for one in secrets if one.spoken}
        return frozenset(spoken & {word for text in self._texts() for word in _SMALL.findall(text)} if spoken else ())

    def _own_words(self) -> frozenset[str]:
        """The words of formats: keys anywhere, and what stands alone where the lab itself writes, such as a stage's name."""
        found = set(_words(self._archive.manifest.model_dump(mode="json"), values=True))
        for name, data in self._archive.members.items():
            own = not name.startswith((names.ARTIFACTS, names.TOPICS))
            for part in data.splitlines() if name.endswith(".jsonl") else (data,):
                found.update(_words(_unfolded(_json(part)), values=own))
        return frozenset(found)


def _words(value: Any, values: bool) -> Iterator[str]:
    match value:
        case dict():
            yield from (key for key in value if _WORD_OF_A_FORMAT.fullmatch(key))
            for inner in value.values():
                yield from _words(inner, values)
        case list():
            for inner in value:
                yield from _words(inner, values)
        case str() if values and _WORD_OF_A_FORMAT.fullmatch(value):
            yield value
        case _:
            pass


def _secrets_in(data: bytes) -> set[Secret]:
    if (value := _json(data)) is not None:
        return in_value(_unfolded(value))
    if (vectors := _vectors(data)) is not None:
        return in_value(vectors[0])
    decoded = _decoded(data)
    return in_text(_plain_markup(decoded[0])) if decoded is not None else set()


def _texts_in(data: bytes) -> Iterator[str]:
    if (value := _json(data)) is not None:
        yield from _strings(_unfolded(value))
    elif (vectors := _vectors(data)) is not None:
        yield from _strings(vectors[0])
    elif (decoded := _decoded(data)) is not None:
        yield _plain_markup(decoded[0])


def _strings(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for inner in value.values():
                yield from _strings(inner)
        case list():
            for inner in value:
                yield from _strings(inner)
        case str():
            yield value
        case _:
            pass


def _readable(data: bytes) -> str:
    """The text of a member; of vectors only what stands before their numbers."""
    text = data.partition(b"\n")[0] if _vectors(data) is not None else data
    return text.decode("utf-8", "replace")


def _vectors(data: bytes) -> tuple[dict[str, object], bytes] | None:
    """What stands before the numbers of vectors, and the numbers; None when it is something else."""
    head, _, numbers = data.partition(b"\n")
    described = _json(head)
    return (described, numbers) if isinstance(described, dict) and "chunk_ids" in described else None


def _unfolded(value: Any) -> Any:
    """A JSON value with the JSON texts in it read as well."""
    match value:
        case dict():
            return {key: _unfolded(inner) for key, inner in value.items()}
        case list():
            return [_unfolded(inner) for inner in value]
        case str() if value[:1] in ("{", "["):
            inner = _json(value.encode())
            return _unfolded(inner) if isinstance(inner, dict | list) else value
        case _:
            return value


def _json(data: bytes) -> Any:
    """The JSON object or array in `data`; None when it is something else."""
    if data[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _decoded(data: bytes) -> tuple[str, str] | None:
    """Text with its encoding; None for what is not text."""
    encodings = ["utf-16"] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8"]
    if declared := re.match(rb"<\?xml[^>]*encoding=[\"']([A-Za-z0-9._\-]{2,40})[\"']", data[:200]):
        encodings.append(declared.group(1).decode())
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        return None if "\0" in text else (text, encoding)
    return None


def _plain_markup(text: str) -> str:
    """Markup with its character references written out, but for those that would become markup themselves."""

    def written(match: re.Match[str]) -> str:
        number = int(match.group(1), 16) if match.group(1) else int(match.group(2))
        if number < 32 or number > 0x10FFFF or 0xD800 <= number <= 0xDFFF or chr(number) in _MARKUP:
            return match.group()
        return chr(number)

    return _REFERENCE.sub(written, text)


def _medical_words() -> frozenset[str]:
    return frozenset(word for term, _ in bundled().terms() for word in term.casefold().split())
