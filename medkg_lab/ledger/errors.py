"""What the ledger refuses, and why a ledger cannot be opened."""

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.rpc import PeerClosing

MIN_FREE_BYTES = 64 * 1024 * 1024
"""Bytes that must be free on the disk for a command to be carried out."""


class LedgerError(LabError):
    """The ledger refused a command: {detail}. `medkg-lab jobs show` tells where the job stands."""


class MalformedCommand(LedgerError):
    """The ledger did not understand {op}: {detail}. Client and ledger may be of different versions; restart the lab."""

    exit_code = exit_codes.USAGE


class CommandIdReused(LedgerError):
    """Command id {id} was used before for another command ({type}). Give every command an id of its own."""

    exit_code = exit_codes.USAGE


class UnknownJob(LedgerError):
    """The ledger has no job {job_id}. `medkg-lab jobs` lists those it has."""

    exit_code = exit_codes.USAGE


class UnknownStage(LedgerError):
    """Pipeline {pipeline} {version} has no stage {stage}. Its stages are: {stages}."""

    exit_code = exit_codes.USAGE


class UnknownDefinition(LedgerError):
    """The ledger has no {kind} {name} in version {version}. Register it before the first job that needs it is submitted."""


class DefinitionConflict(LedgerError):
    """{kind} {name} {version} is registered with other content already. A changed definition needs a version of its own."""


class IllegalTransition(LedgerError):
    """Job {job_id} is {state} (version {version}), so it cannot {action}. `medkg-lab jobs show {job_id}` tells how it came
    there."""


class BatchNotOwned(LedgerError):
    """Batch {batch_id} does not hold {what} (any more): its lease ran out or it was handed back. Drop its results and
    claim again."""


class BatchIdTaken(LedgerError):
    """Run id {run_id} is in use already. Launch with an id of its own."""


class StageNotInBatch(LedgerError):
    """Batch {batch_id} does not run stage {stage}; it was claimed for: {stages}. Restart the engine: it may be
    of another version."""


class GateNotWaiting(LedgerError):
    """Job {job_id} does not wait at a gate: it is {state} (version {version}){detail}. `medkg-lab gate list` shows the
    waiting ones."""

    exit_code = exit_codes.GATE_REFUSED


class GateWithoutEvidence(LedgerError):
    """The gate of job {job_id} cannot be opened: no document stands behind {field} yet. Wait for the PDF process, or see
    `medkg-lab logs pdf` for why there is none."""

    exit_code = exit_codes.GATE_REFUSED


class GatePagesMissing(LedgerError):
    """The gate of job {job_id} cannot be opened: pages {pages} of its document are missing. Open it with `--partial` to go on
    without them."""

    exit_code = exit_codes.GATE_REFUSED


class DocumentInWork(LedgerError):
    """{doc_id} cannot be deleted while it is in work: its job {job_id} is {state}. Wait until that has ended, or end it by
    `medkg-lab jobs cancel {job_id}`, and delete the document then."""

    exit_code = exit_codes.NOT_READY


class DocumentGone(LedgerError):
    """The document {doc_id} was deleted, with what job {job_id} had made. Submit it with `--again` to have it back."""

    exit_code = exit_codes.USAGE


class UnknownRelease(LedgerError):
    """Release {release_id} is not waiting to be launched: it was launched already, or all of its jobs were cancelled."""


class MixedLaunch(LedgerError):
    """Run {run_id} cannot take these jobs together: they stand at different points ({points}). Launch them one by one, or name
    the stage to start from."""

    exit_code = exit_codes.USAGE


class QueryRefused(LedgerError):
    """The query was refused: {detail}. One SELECT statement on the tables job, stage_run, gate, document, artifact, provenance,
    audit and event_archive is allowed."""

    exit_code = exit_codes.USAGE


class QueryFailed(LedgerError):
    """The query failed: {detail}"""

    exit_code = exit_codes.USAGE


class QueryTooLarge(LedgerError):
    """The query was stopped: {detail}. Ask for less: fewer rows or columns, or a part of a text by `substr`."""

    exit_code = exit_codes.USAGE


class QueryTimeout(LedgerError):
    """The query was stopped after {seconds} s. Narrow it down or give it more time."""


class LedgerClosing(PeerClosing):
    """The ledger is stopping and takes no more commands. Try again when it is back."""


class BookmarkMoved(LedgerError):
    """The bookmark of {reader} is another than it knows: the ledger was restarted or recovered since. It reads its bookmark again
    and goes on from there."""


class EmissionLost(LedgerError):
    """{count} events could not be delivered to the ledger within {seconds} s: {detail}. The batch will be run again."""


class DiskFull(LedgerError):
    """The ledger takes no commands: the disk of {path} has less than {mib} MiB left. Make room; it goes on by itself then."""


class EventsPruned(LedgerError):
    """The events up to {low} were pruned from the ledger, and its archive at {path} does not hold all of them. Bring the files
    back, or read from event {low} on."""


class ArchiveNotWritten(LedgerError):
    """Events could not be written to {path}: {detail}. Nothing was removed from the ledger."""


class SnapshotFailed(LedgerError):
    """No snapshot could be made at {path}: {detail}."""


class NothingToRecover(LedgerError):
    """The ledger at {path} cannot be recovered: no source has its first events ({problems}). Name a snapshot with `--snapshot`,
    or start the broker so that its log can be read."""


class RecoveryFailed(LedgerError):
    """The ledger at {path} cannot be recovered: the events that were found cannot be folded ({detail}). Nothing was changed."""


class LegacyUnreadable(LedgerError):
    """{path} cannot be read as an older ledger: {detail}. JSON lines, or a DuckDB or SQLite database with a table of jobs is
    expected."""

    exit_code = exit_codes.USAGE


class Unstartable(LabError):
    """The ledger cannot start: {detail}."""

    exit_code = exit_codes.NO_RESTART


class LedgerInUse(Unstartable):
    """The ledger cannot start: another process holds {path}. Stop that process (`medkg-lab status` names it), then start
    again."""


class LedgerShort(Unstartable):
    """The ledger cannot start: {path} ends at event {found}, but event {promised} was acknowledged. Nothing was changed; keep the
    files and run `medkg-lab ledger recover`."""


class LedgerDamaged(Unstartable):
    """The ledger cannot start: {path} is damaged ({detail}). Nothing was changed; keep the files and run `medkg-lab ledger
    recover`."""


class LedgerPruned(Unstartable):
    """The ledger cannot start: its views must be made again, but the events up to {low} were pruned and neither the archive nor
    a fold snapshot of this version lies at {path}. Bring the files back, or run `medkg-lab ledger recover`."""


class LedgerFromElsewhere(Unstartable):
    """The ledger cannot start: {path} was written by another version of the lab ({detail}). Use that version, or a newer one."""
