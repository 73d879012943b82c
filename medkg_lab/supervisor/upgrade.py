"""The first start of a lab with another version of the program: a backup is made before any file is brought to another format."""

import json
import subprocess

from medkg_lab import __version__, exit_codes, launch
from medkg_lab.errors import LabError
from medkg_lab.files import replace_private
from medkg_lab.locations import Locations

FILE = "version.json"
"""The file in the data folder that says which version had the lab last."""


class NoBackupBeforeUpgrade(LabError):
    """The lab at {home} was last started by version {before}, and no backup could be made before version {now} starts it:
    {detail}. Make room, or name another place in `backup.folder`; `backup: {{before_upgrade: false}}` goes on without."""

    exit_code = exit_codes.NO_RESTART


def prepare(locations: Locations, wanted: bool) -> str | None:
    """Make a backup if another version had this lab last and one is `wanted`; a sentence for the user then.

    No process of the lab may run. Raises NoBackupBeforeUpgrade; the next start tries again then.
    """
    before = last_version(locations)
    if before is not None and before != __version__ and wanted:
        command = launch.python("medkg_lab.cli.main", *locations.arguments(), "backup", "create", "--json")
        done = subprocess.run(command, env=launch.environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            detail = " ".join(done.stderr.split()).removeprefix("medkg-lab: ").rstrip(".")
            raise NoBackupBeforeUpgrade(home=locations.home, before=before, now=__version__, detail=detail)
        write(locations, __version__)
        made = json.loads(done.stdout)["path"]
        return f"The lab was brought from version {before} to {__version__}; as it was before, it is in {made}."
    if before != __version__:
        write(locations, __version__)
    return None


def last_version(locations: Locations) -> str | None:
    """The version that had this lab last: None where there is no lab yet, `unknown` where it is older than the file."""
    try:
        return str(json.loads((locations.data / FILE).read_bytes())["version"])
    except FileNotFoundError:
        return "unknown" if (locations.data / "ledger" / "ledger.duckdb").exists() else None
    except (ValueError, KeyError, TypeError):
        return "unknown"


def write(locations: Locations, version: str) -> None:
    """Write down, durably, that `version` has this lab."""
    replace_private(locations.data / FILE, json.dumps({"version": version}), durable=True)
