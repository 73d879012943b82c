"""What keeps lineage events from being delivered."""

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class LineagePackageMissing(LabError):
    """`lineage.enabled` needs the package openlineage-python. Install it with
    `{command}`, or remove `lineage` from settings.yaml."""

    exit_code = exit_codes.NO_RESTART


class LineageNotWritten(LabError):
    """Lineage events cannot be written to {path}: {detail}. Make room, or name another file in `lineage.file`."""


class LineageNotTaken(LabError):
    """The lineage service at {url} did not take an event: {detail}. Nothing is left out: it is sent again until it is taken."""


class LineageKeyUnreadable(LabError):
    """The key for the lineage service cannot be read from {path}: {detail}. Name a file with the key alone in
    `lineage.api_key_file`."""

    exit_code = exit_codes.NO_RESTART
