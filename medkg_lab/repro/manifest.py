"""The manifest of an archive: what it is, what it was made with, and every file in it with its hash."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import distributions, version
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from medkg_lab.models.submission import SHA256

FORMAT: Literal["medkg.repro/1"] = "medkg.repro/1"
MANIFEST = "manifest.json"
EVENTS = "ledger/events.jsonl"
EXCHANGES = "exchanges.jsonl"
SETTINGS = "settings.json"
REDACTION = "redaction.json"
ARTIFACTS = "artifacts/"
TOPICS = "topics/"
DEFINITIONS = "definitions/"
VOCABULARIES = "vocabularies/"
PDF_STAND_IN = b"%PDF-0.0 redacted "
"""With what the bytes begin that stand for a PDF after redaction: still recognised as one, and never opened."""
_NAMED = ("dagster", "docvortex", "faiss-cpu", "haystack-ai", "numpy", "onnxruntime", "pydantic", "pysbd", "tokenizers")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Part):
    """One file of the archive."""

    sha256: str = Field(pattern=SHA256)
    size: int = Field(ge=0)


class Environment(_Part):
    """What the archive was made with; `lock` is a hash of every installed distribution with its version."""

    lab_version: str
    python: str
    platform: str
    lock: str
    packages: dict[str, str] = Field(default_factory=dict)


class JobEntry(_Part):
    """A job of the incident and how it ended there."""

    job_id: str
    doc_id: str
    tenant_id: str
    pipeline: str
    pipeline_version: str
    state: str
    failure_kind: str | None = None
    reason: str | None = None


class ModelEntry(_Part):
    """A model of the user's own that the jobs' vectors were made with; it is not in the archive. `sha256` by its files' names."""

    model: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}@[0-9a-f]{12}$")
    sha256: dict[str, str] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called in a lab."""
        return self.model.partition("@")[0]


class Tolerance(_Part):
    """How far values may differ and still be the same: vectors by their cosine, floats by relative error."""

    vector_cosine: float = Field(default=0.99999, gt=0, le=1)
    float_relative: float = Field(default=1e-6, ge=0, lt=1)


class Redacted(_Part):
    """What redaction did: how many values of each kind gave way, and the passages whose text is another now."""

    counts: dict[str, int] = Field(default_factory=dict)
    changed_chunks: tuple[str, ...] = ()


class Manifest(_Part):
    """What an archive is. `missing` says what could not be had, `profile` and `device` what the jobs ran on."""

    format: Literal["medkg.repro/1"] = FORMAT
    origin: Literal["export", "assemble"] = "export"
    environment: Environment
    profile: str | None = None
    device: str | None = None
    jobs: tuple[JobEntry, ...]
    tolerance: Tolerance = Tolerance()
    missing: tuple[str, ...] = ()
    models: tuple[ModelEntry, ...] = ()
    redacted: Redacted | None = None
    files: dict[str, FileEntry]

    def encode(self) -> bytes:
        """The one JSON text of the manifest."""
        # Readers that know of no models read an archive that has none.
        left_out = set() if self.models else {"models"}
        value = self.model_dump(mode="json", exclude=left_out)
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


@cache
def environment() -> Environment:
    """The environment of this process."""
    found = {one.metadata["Name"].lower(): one.version for one in distributions()}
    lines = "\n".join(f"{name}=={number}" for name, number in sorted(found.items()))
    return Environment(
        lab_version=version("medkg-lab"),
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        lock=hashlib.sha256(lines.encode()).hexdigest(),
        packages={name: found[name] for name in _NAMED if name in found},
    )


def entries(members: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """What the manifest says of `members`."""
    return {
        name: FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
        for name, data in sorted(members.items())
    }


def lines(values: list[Any]) -> bytes:
    """Values as JSON lines, keys sorted."""
    return b"".join(orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE) for value in values)
