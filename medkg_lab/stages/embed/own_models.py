"""The models that a user has brought in: one folder each below the lab's data, with the hashes of its files."""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medkg_lab.files import read_regular, replace_private, sync
from medkg_lab.models.submission import SHA256
from medkg_lab.stages.embed.errors import ModelDamaged, ModelDiffers, ModelExists, ModelNameBad, ModelNotFound

FOLDER = "models"
"""Where a lab keeps them, below its data folder."""
GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"
LARGEST_BYTES: Mapping[str, int] = {GRAPH: 2**31 - 1, TOKENIZER: 64 * 1024 * 1024}
"""Of a graph: what the format of ONNX takes in one file (https://protobuf.dev/programming-guides/encoding)."""
_MANIFEST = "manifest.json"
"""Written last and removed first: a folder without one is what an interrupted command left."""
_MANIFEST_BYTES = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID = re.compile(rf"{_NAME.pattern}@[0-9a-f]{{12}}")

Pooling = Literal["mean", "cls", "max", "last", "none"]


class EncoderSettings(BaseModel):
    """How a graph's output becomes a text's vector; `none` is for a graph that pools itself. Vectors are scaled to length 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pooling: Pooling
    dimension: int = Field(ge=1, le=65_536)
    max_tokens: int = Field(ge=4, le=65_536)
    output: str
    passage_prefix: str = ""
    query_prefix: str = ""
    lowercase: bool = False


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    settings: EncoderSettings
    graph_sha256: str = Field(pattern=SHA256)
    tokenizer_sha256: str = Field(pattern=SHA256)


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A model that is stored: `model_id` names its vectors, and follows from the files and the settings."""

    name: str
    model_id: str
    folder: Path
    settings: EncoderSettings
    sha256: Mapping[str, str]

    def read(self, file: str) -> bytes:
        """The bytes of one of its files. Raises ModelDamaged unless they are those that were added."""
        path = self.folder / file
        try:
            data = read_regular(path, LARGEST_BYTES[file])
        except OSError as error:
            raise ModelDamaged(name=self.name, detail=f"{path} cannot be read: {error}") from None
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256[file]:
            raise ModelDamaged(
                name=self.name, detail=f"{path} has sha256 {found[:12]} instead of {self.sha256[file][:12]}"
            )
        return data

    def to_json(self) -> dict[str, object]:
        """Its record: name, id, settings and hashes."""
        return {
            "name": self.name,
            "model": self.model_id,
            **self.settings.model_dump(),
            "sha256": dict(self.sha256),
        }

    def check(self) -> None:
        """Raise ModelDamaged unless every file is what was added."""
        for file in self.sha256:
            self.read(file)


def check_name(name: str) -> None:
    """Raise ModelNameBad unless a model can be called so."""
    if _NAME.fullmatch(name) is None:
        raise ModelNameBad(name=name)


def add(folder: Path, name: str, settings: EncoderSettings, graph: bytes, tokenizer: bytes) -> OwnModel:
    """Store a model below `folder`, whole or not at all; the same again changes nothing.

    Raises ModelNameBad, and ModelExists when another model has the name.
    """
    check_name(name)
    files = {GRAPH: graph, TOKENIZER: tokenizer}
    hashes = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
    manifest = _Manifest(settings=settings, graph_sha256=hashes[GRAPH], tokenizer_sha256=hashes[TOKENIZER])
    with _locked(folder):
        if name in names(folder):
            return _same(folder, name, manifest)
        if (folder / name).exists():
            shutil.rmtree(folder / name)
        for file, data in files.items():
            replace_private(folder / name / file, data, durable=True)
        sync(folder)
        replace_private(folder / name / _MANIFEST, manifest.model_dump_json(indent=1), durable=True)
    return find(folder, name)


def _same(folder: Path, name: str, manifest: _Manifest) -> OwnModel:
    stored = find(folder, name)
    if stored.model_id != _model_id(name, manifest):
        raise ModelExists(name=name)
    stored.check()
    return stored


def names(folder: Path) -> list[str]:
    """The names of the models that are stored."""
    return sorted(path.parent.name for path in folder.glob(f"*/{_MANIFEST}"))


def find(folder: Path | None, name: str) -> OwnModel:
    """The stored model called `name`, or of exactly that id (`NAME@hash`). Raises ModelNotFound, ModelDiffers or ModelDamaged."""
    wanted, name = name, name.partition("@")[0]
    known = names(folder) if folder is not None else []
    if folder is None or name not in known:
        raise ModelNotFound(name=name, known=", ".join(known) or "none")
    path = folder / name / _MANIFEST
    try:
        manifest = _Manifest.model_validate_json(read_regular(path, _MANIFEST_BYTES))
    except (OSError, ValidationError) as error:
        raise ModelDamaged(name=name, detail=f"{path}: {str(error).splitlines()[0]}") from None
    hashes = {GRAPH: manifest.graph_sha256, TOKENIZER: manifest.tokenizer_sha256}
    stored = OwnModel(name, _model_id(name, manifest), folder / name, manifest.settings, hashes)
    if wanted not in (name, stored.model_id):
        raise ModelDiffers(name=name, wanted=wanted, found=stored.model_id)
    return stored


def is_id(text: str) -> bool:
    """Whether `text` has the form of a model's id, `NAME@hash`."""
    return _ID.fullmatch(text) is not None


def has(folder: Path, model_id: str) -> bool:
    """Whether the model of that id is stored."""
    try:
        return find(folder, model_id).model_id == model_id
    except (ModelNotFound, ModelDiffers, ModelDamaged):
        return False


def remove(folder: Path, name: str) -> None:
    """Remove the model called `name`, also a damaged one. Raises ModelNotFound."""
    with _locked(folder):
        if name not in (known := names(folder)):
            raise ModelNotFound(name=name, known=", ".join(known) or "none")
        (folder / name / _MANIFEST).unlink()
        shutil.rmtree(folder / name)


def _model_id(name: str, manifest: _Manifest) -> str:
    return f"{name}@{hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()[:12]}"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
