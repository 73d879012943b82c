"""What can go wrong inside the embedded broker."""

from medkg_lab import exit_codes
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.errors import LabError


class DataFolderInUse(LabError):
    """Another broker (process {pid}) already uses {folder}. Stop it, or give this one a data folder of its own."""

    exit_code = exit_codes.NO_RESTART


class AddressUnusable(LabError):
    """The broker cannot listen on {host}:{port}: {detail}. Stop that, or name another port
    by `ports.broker` in settings.yaml, and start the lab again."""

    exit_code = exit_codes.NO_RESTART


class NotLoopback(LabError):
    """The embedded broker encrypts nothing, so it listens on a loopback address only, not on {host}. Use 127.0.0.1, or an
    external cluster when other machines must reach it."""

    exit_code = exit_codes.NO_RESTART


class MetaDamaged(LabError):
    """{path} cannot be read: {detail}. It holds the topics and the committed offsets; bring it back from a copy, or move the
    broker's data folder away to begin with an empty one."""

    exit_code = exit_codes.NO_RESTART


class MalformedFrame(LabError):
    """A client sent bytes that are no request of the Kafka protocol: {detail}. Its connection is closed; check what connects
    to the broker's port."""


class Damaged(LabError):
    """{path} is damaged at byte {position}: {detail}. The partition stays offline and its files stay as they are: bring the file
    back from a copy, or delete the topic."""


class StorageFailed(LabError):
    """The log of {topic}-{partition} could not be kept: {detail}. Free disk space or fix the disk, then restart the broker."""


class DiskFailed(LabError):
    """The broker's disk did not keep what it was given: {detail}. Nothing unsaved was acknowledged; free disk space or fix
    the disk, the broker reads everything again at its next start."""


class Refused(LabError):
    """The broker refused the request: {detail}. The error code tells a client what to do."""

    def __init__(self, code: Code, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(detail=detail)
