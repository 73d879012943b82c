"""Editing what a lab runs by: pipelines, policies and profiles as text, checked, saved as new versions, and brought back.

A definition is saved as a file of the lab's configuration folder, where every process that uses it finds it changed; a bundled
file is never written. The text of every version that was saved or replaced is kept beside, so that one can go back to it.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.files import TEXT_BYTES, read_regular, replace_private
from medkg_lab.lab import acts
from medkg_lab.lab.facade import Lab
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology import versions
from medkg_lab.topology.diff import diff
from medkg_lab.topology.errors import DefinitionInvalid, PolicyFileInvalid, Problem, TopologyInvalid
from medkg_lab.topology.loader import SHARED_FOLDER, load_topology
from medkg_lab.topology.models import Topology
from medkg_lab.topology.policy_files import load_policies
from medkg_lab.topology.profiles import Profile, load_profile

KEPT_FOLDER = "versions"
Model = Topology | Policies | Profile


class DefinitionChanged(LabError):
    """{path} was changed by someone else since you opened it, so nothing was saved. Read it again and put your change in, or
    save over it on purpose."""

    exit_code = exit_codes.FAILED


class NoSuchVersion(LabError):
    """The lab knows no version {version!r} of {name}. `medkg-lab pipeline history {name}` shows those it knows."""

    exit_code = exit_codes.USAGE


class VersionAmbiguous(LabError):
    """{version!r} begins several versions of {name}: {known}. Give more of it."""

    exit_code = exit_codes.USAGE


class Kind(StrEnum):
    """What can be edited."""

    PIPELINE = "pipeline"
    POLICIES = "policies"
    PROFILE = "profile"


@dataclass(frozen=True)
class Definition:
    """One of them: policies have no name of their own."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.kind.value

    @property
    def file(self) -> str:
        """Its file below the configuration folder."""
        match self.kind:
            case Kind.PIPELINE:
                return f"pipelines/{self.name}.yaml"
            case Kind.PROFILE:
                return f"profiles/{self.name}.yaml"
        return "policies.yaml"


@dataclass(frozen=True)
class Opened:
    """A definition as it lies on disk: `digest` says whether it is still the same when it is saved."""

    path: Path
    text: str
    digest: str
    own: bool


@dataclass(frozen=True)
class Checked:
    """What a text comes to: the definition, or all that is wrong with it."""

    model: Model | None
    problems: Sequence[Problem] = ()


@dataclass(frozen=True)
class Saved:
    """A new version that is in use; `before` is the one it replaced, and `changes` say what differs. Empty when nothing does."""

    version: str
    before: str
    changes: Sequence[str]
    path: Path


@dataclass(frozen=True)
class Version:
    """A version that can be brought back: `ts` is when it was made (seconds since the epoch) if that is known."""

    version: str
    ts: float | None
    current: bool
    summary: str


def everything(lab: Lab) -> list[Definition]:
    """All that can be edited: pipelines (invalid ones too), policies, profiles."""
    catalog = lab.catalog
    pipelines = sorted({*catalog.topologies(), *catalog.invalid()})
    found = [Definition(Kind.PIPELINE, name) for name in pipelines]
    return [*found, Definition(Kind.POLICIES), *(Definition(Kind.PROFILE, name) for name in catalog.profiles())]


def opened(lab: Lab, which: Definition) -> Opened:
    """The definition's file as it is now; of a new one the place where it will lie and an empty text."""
    own = lab.locations.config / which.file
    path = own if own.exists() else _bundled(lab, which)
    content = read_regular(path, TEXT_BYTES) if path.exists() else b""
    return Opened(path, content.decode("utf-8-sig", errors="replace"), _digest(content), path == own)


def _bundled(lab: Lab, which: Definition) -> Path:
    from medkg_lab.topology import bundled

    path = bundled.folder() / which.file
    return path if path.exists() else lab.locations.config / which.file


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def load_draft(lab: Lab, which: Definition) -> str | None:
    """The text that was being written when the screen was left, if there is one."""
    try:
        return _draft(lab, which).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def save_draft(lab: Lab, which: Definition, text: str | None) -> None:
    """Keep a text that is not saved yet for the next time; None forgets it."""
    if text is None:
        _draft(lab, which).unlink(missing_ok=True)
    else:
        replace_private(_draft(lab, which), text)


def _draft(lab: Lab, which: Definition) -> Path:
    return lab.locations.state / "drafts" / which.file


def check(lab: Lab, which: Definition, text: str) -> Checked:
    """Check a text as if it were saved: the model, or every problem with its line."""
    file = Path(which.file).name
    try:
        match which.kind:
            case Kind.PIPELINE:
                return _checked_pipeline(lab, which, text, file)
            case Kind.PROFILE:
                return _named(which, load_profile(text, file=file), file)
        policies = load_policies(text, file=file)
    except DefinitionInvalid as error:
        return Checked(None, error.problems)
    lost = _lost_policies(lab, policies, file)
    return Checked(None, lost) if lost else Checked(policies)


def _checked_pipeline(lab: Lab, which: Definition, text: str, file: str) -> Checked:
    try:
        known = lab.catalog.policies().names
    except PolicyFileInvalid as error:
        return Checked(None, error.problems)
    shared = (lab.locations.config / "pipelines" / SHARED_FOLDER,)
    return _named(which, load_topology(text, file=file, policies=known, shared=shared), file)


def _named(which: Definition, model: Topology | Profile, file: str) -> Checked:
    if model.name == which.name:
        return Checked(model)
    message = f"this file holds {which.name}, but names itself {model.name!r}"
    return Checked(None, [Problem(file, 1, 1, "name", message, f"write {which.name}, or make a new one with i")])


def _lost_policies(lab: Lab, draft: Policies, file: str) -> list[Problem]:
    """A problem for every policy that a pipeline names and the draft takes away."""
    from medkg_lab.topology import bundled

    names = load_policies(bundled.folder() / "policies.yaml").overlaid(draft).names
    missing = {
        stage.policy: name
        for name, topology in lab.catalog.topologies().items()
        for stage in topology.stages
        if stage.policy not in names
    }
    return [
        Problem(file, 1, 1, "unknown-policy", f"the pipeline {pipeline} uses the policy {policy}", "keep it")
        for policy, pipeline in sorted(missing.items())
    ]


def save(lab: Lab, which: Definition, text: str, base: str | None) -> Saved:
    """Check `text`, make it the version in use, and keep the one before.

    `base` is the digest of the file as it was opened; None saves over whatever is there. Raises DefinitionInvalid and
    DefinitionChanged; then nothing was written.
    """
    checked = check(lab, which, text)
    if checked.model is None:
        raise TopologyInvalid(which.file, checked.problems)
    now = opened(lab, which)
    if base is not None and now.digest != base:
        raise DefinitionChanged(path=now.path)
    before = check(lab, which, now.text).model
    path = lab.locations.config / which.file
    version = version_of(checked.model)
    if before is not None:
        _save_version(lab, which, version_of(before), now.text, now.path.stat().st_mtime)
    _save_version(lab, which, version, text)
    if before is None or text != now.text:
        replace_private(path, text)
        if isinstance(checked.model, Topology) and lab.supervisor.is_running():
            lab.ledger.register("topology", checked.model.name, version, versions.to_json(checked.model))
        acts.note(lab, acts.SAVED, which.file, version_of(before) if before else "", version)
    return Saved(version, version_of(before) if before else "", changes(before, checked.model), path)


def version_of(model: Model) -> str:
    """The version of a definition by its content."""
    return versions.version_of(model) if isinstance(model, Topology) else versions.content_version(model)


def changes(before: Model | None, after: Model) -> list[str]:
    """What differs between two versions, in a line each."""
    if before is None:
        return ["first version"]
    if isinstance(before, Topology) and isinstance(after, Topology):
        return [str(each) for each in diff(before, after)]
    old, new = _parts(before), _parts(after)
    lines = [f"{name} removed" for name in old if name not in new]
    lines += [f"{name} added" for name in new if name not in old]
    return [*lines, *(f"{name} changed" for name in new if name in old and old[name] != new[name])]


def _parts(model: Model) -> dict[str, str]:
    if isinstance(model, Policies):
        return {one.name: versions.to_json(one) for one in model.policies}
    return {name: str(value) for name, value in model.model_dump(mode="json", by_alias=True).items()}


def history(lab: Lab, which: Definition) -> list[Version]:
    """The versions that are known, the one in use first, then the newest."""
    found: dict[str, tuple[float | None, Model]] = {}
    for path in sorted(_folder(lab, which).glob("*.yaml"), key=lambda each: each.stat().st_mtime):
        if (model := check(lab, which, path.read_text(encoding="utf-8")).model) is not None:
            found[path.stem] = (path.stat().st_mtime, model)
    if which.kind is Kind.PIPELINE and lab.supervisor.is_running():
        for one in lab.ledger.definitions("topology", name=which.name):
            found.setdefault(one.version, (None, versions.from_json(one.content)))
    in_use = check(lab, which, opened(lab, which).text).model
    if in_use is not None:
        found.setdefault(version_of(in_use), (None, in_use))
    current = version_of(in_use) if in_use is not None else ""
    ordered = sorted(found.items(), key=lambda each: (each[0] == current, each[1][0] or 0.0))
    listed: list[Version] = []
    before: Model | None = None
    for version, (ts, model) in ordered:
        said = changes(before, model)
        summary = "; ".join(said[:2]) + (f"; and {len(said) - 2} more" if len(said) > 2 else "")
        listed.append(Version(version, ts, version == current, summary or "as the one before"))
        before = model
    return listed[::-1]


def text_of(lab: Lab, which: Definition, version: str) -> str:
    """The text of a version, or of the only one that begins so. Raises NoSuchVersion and VersionAmbiguous."""
    known = [one.version for one in history(lab, which)]
    fitting = [one for one in known if one == version] or [
        one for one in known if one.startswith(version) or one.partition("+")[2].startswith(version)
    ]
    if not fitting:
        raise NoSuchVersion(version=version, name=which)
    if len(fitting) > 1:
        raise VersionAmbiguous(version=version, name=which, known=", ".join(fitting))
    kept = _folder(lab, which) / f"{fitting[0]}.yaml"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    if which.kind is Kind.PIPELINE and lab.supervisor.is_running():
        for one in lab.ledger.definitions("topology", name=which.name, version=fitting[0]):
            return written_out(versions.from_json(one.content))
    return opened(lab, which).text


def written_out(topology: Topology) -> str:
    """A resolved pipeline as YAML: what a version is written as whose own text is not there any more."""
    content = topology.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120))


def _folder(lab: Lab, which: Definition) -> Path:
    return lab.locations.config / KEPT_FOLDER / which.kind.value / (which.name or "all")


def _save_version(lab: Lab, which: Definition, version: str, text: str, saved: float | None = None) -> None:
    """Keep the text of a version under the time at which it was first saved: now, or at `saved` (seconds since the epoch)."""
    path = _folder(lab, which) / f"{version}.yaml"
    if not path.exists():
        replace_private(path, text)
        if saved is not None:
            os.utime(path, (saved, saved))
