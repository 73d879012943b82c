"""What can go wrong with archives and with running them again."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class ArchiveRefused(LabError):
    """{path} was refused and nothing was written: {reason}. Ask for the archive again from where it was made."""


class ArchiveUnreadable(LabError):
    """{path} cannot be read: {detail}. Name an archive that `medkg-lab repro export` or `repro assemble` wrote."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class ArchiveTooNew(LabError):
    """{path} has format {found}, and this version reads {known}. Install the medkg-lab that wrote it, {lab_version}, or a
    newer one."""


class HomeInUse(LabError):
    """{home} already holds a lab ({what}), and an import must not touch one. Name an empty folder with `--home`."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class NoIncident(LabError):
    """No incident was imported into {home}. `medkg-lab repro import ARCHIVE --home {home}` does that."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class IncidentDamaged(LabError):
    """The incident in {home} is not as it was imported: {what} is missing or was changed. Import the archive again into an
    empty home."""


class RunDamaged(LabError):
    """Run {run} is damaged. Remove {path}, and run the incident again with `medkg-lab repro run`."""


class HistoryPruned(LabError):
    """Job {job_id} cannot be exported: its first events were pruned and are not in the ledger's archive either, and without them
    nothing can be run again. Put the archive folder of the ledger back, or run the job again and export that."""


class OutputExists(LabError):
    """{path} exists already. Choose another name, or remove it first."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class UnrecordedCall(LabError):
    """The call {method} {url} was never recorded for stage {stage} of job {job_id} (key {key}). The nearest recorded call is
    {nearest}. Run the stage with `--live {stage}` to let it ask the real service."""


class NotInArchive(LabError):
    """The archive does not hold {what}. `medkg-lab repro show` lists what it holds and what is missing."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class UnknownRun(LabError):
    """There is no run {run!r} here. Known are: {known}."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class UnknownReplayStage(LabError):
    """No pipeline of the incident has a stage {stage!r}. Their stages are: {known}."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class NothingToBisect(LabError):
    """A search for the change needs two versions at least, and there is only {count} to choose from. Name more of them."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class BadChoice(LabError):
    """{given!r} is not a choice: {detail}. Write it as `STAGE=IMPLEMENTATION` or `STAGE=IMPLEMENTATION:{{"option": value}}`."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class NotAssembled(LabError):
    """{path} cannot be used: {detail}. `medkg-lab repro assemble --help` says what each file may look like."""

    exit_code: ClassVar[int] = exit_codes.USAGE
