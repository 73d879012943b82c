"""A plug-in under work, tried on the last documents whenever its files change.

Each trial is a process of its own, so what is imported is what the files say now. The plug-in need not be installed: its entry
points are read from its pyproject.toml.
"""

import json
import os
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

import msgspec

from medkg_lab import exit_codes, launch
from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.preview import Side

STAGES = "medkg_lab.stages"
_NOTHING = Side()
_PROJECT = "pyproject.toml"


class NotAPlugin(LabError):
    """{what} is not a plug-in that can be tried: {detail}. Give the folder with its pyproject.toml, as `medkg-lab new stage`
    makes one, or the name of a package that was installed from such a folder with `pip install -e`."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class TrialFailed(LabError):
    """The plug-in could not be tried. {detail} `medkg-lab dev` tries it again when a file is saved."""


@dataclass(frozen=True)
class Plugin:
    """A plug-in's `folder`, name and version, its entry points by group, and the pipeline that it is tried with."""

    folder: Path
    name: str
    version: str
    points: Mapping[str, Mapping[str, str]]
    pipeline: Path


@dataclass(frozen=True, slots=True)
class Tried:
    """A document under the plug-in as it was before and is now; `trouble` is why it made nothing now."""

    doc_id: str
    before: Side
    after: Side
    trouble: str = ""

    @property
    def differs(self) -> bool:
        """Whether what is made of it changed."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the child: what was made of a document, or why nothing can be made of any."""

    doc_id: str = ""
    side: Side = _NOTHING
    trouble: str = ""
    error: str = ""


def find_plugin(lab: Lab, what: str, pipeline: str | None) -> Plugin:
    """The plug-in in a folder, or of the package of this name; `pipeline` is a file or the name of one. Raises NotAPlugin,
    UnknownPipeline."""
    folder = Path(what).expanduser() if Path(what).expanduser().is_dir() else _folder_of(what)
    try:
        project = tomllib.loads((folder / _PROJECT).read_text(encoding="utf-8"))["project"]
        points = {group: dict(each) for group, each in project["entry-points"].items()}
        name, version = str(project["name"]), str(project.get("version", "0"))
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAPlugin(what=what, detail=f"its {_PROJECT} gives no entry points ({error})") from None
    if not points.get(STAGES):
        raise NotAPlugin(what=what, detail=f"it publishes nothing under {STAGES}")
    return Plugin(folder.resolve(), name, version, points, _pipeline(lab, folder, what, pipeline))


def _folder_of(package: str) -> Path:
    """Where an installed package's files are worked on. Raises NotAPlugin."""
    try:
        origin = json.loads(distribution(package).read_text("direct_url.json") or "{}")
        address = urlsplit(str(origin.get("url", "")))
    except (PackageNotFoundError, ValueError):
        raise NotAPlugin(what=package, detail="there is no such folder, and no such package is installed") from None
    if address.scheme != "file":
        raise NotAPlugin(what=package, detail="it was not installed from a folder")
    return Path(unquote(address.path))


def _pipeline(lab: Lab, folder: Path, what: str, named: str | None) -> Path:
    if named is None:
        found = sorted((folder / "pipelines").glob("*.yaml"))
        if not found:
            raise NotAPlugin(what=what, detail="it has no pipelines/*.yaml; name a pipeline with --pipeline")
        return found[0].resolve()
    return Path(named).resolve() if Path(named).is_file() else lab.catalog.path(named)


class Trial:
    """Tries one plug-in again and again: what it makes of a document is compared with what it made before."""

    def __init__(self, lab: Lab, plugin: Plugin, last: int) -> None:
        self._lab = lab
        self._plugin = plugin
        self._last = last
        self._before: dict[str, Side] = {}

    def run(self) -> Iterator[Tried]:
        """Each document with what was made of it before and is now; nothing differs the first time. Raises TrialFailed."""
        for doc_id, side, trouble in self._run_child():
            yield Tried(doc_id, self._before.get(doc_id, side), side, trouble)
            if not trouble:
                self._before[doc_id] = side

    def _run_child(self) -> Iterator[tuple[str, Side, str]]:
        with tempfile.TemporaryDirectory() as scratch:
            self._publish(Path(scratch))
            sources = self._plugin.folder / "src"
            path = [
                scratch,
                str(sources if sources.is_dir() else self._plugin.folder),
                os.environ.get("PYTHONPATH", ""),
            ]
            environment = os.environ | {
                "PYTHONPATH": os.pathsep.join(filter(None, path)),
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            options = [
                "--package",
                self._plugin.name,
                "--pipeline",
                str(self._plugin.pipeline),
                "--last",
                str(self._last),
            ]
            command = launch.python("medkg_lab.lab.plugin_child", *self._lab.locations.arguments(), *options)
            done = subprocess.run(
                command, env=launch.environment(environment), cwd="/", capture_output=True, text=True, check=False
            )
        lines = [msgspec.json.decode(line, type=_Line) for line in done.stdout.splitlines()]
        if done.returncode or any(line.error for line in lines):
            told = [line.error for line in lines if line.error] or done.stderr.strip().splitlines()[-1:]
            raise TrialFailed(detail=told[0] if told else f"Its process ended with code {done.returncode}.")
        yield from ((line.doc_id, line.side, line.trouble) for line in lines)

    def _publish(self, site: Path) -> None:
        """Make the plug-in known to the child as if it were installed."""
        info = site / f"{self._plugin.name.replace('-', '_')}-{self._plugin.version}.dist-info"
        info.mkdir()
        head = f"Metadata-Version: 2.1\nName: {self._plugin.name}\nVersion: {self._plugin.version}\n"
        (info / "METADATA").write_text(head, encoding="utf-8")
        groups = (
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in each.items())
            for group, each in self._plugin.points.items()
        )
        (info / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
