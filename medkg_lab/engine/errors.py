"""What can go wrong in an engine, beyond what its stages raise."""

import errno

from medkg_lab.errors import LabError, ServiceError
from medkg_lab.resilience.errors import BreakerOpen


class BatchLost(LabError):
    """Batch {batch_id} belongs to another engine now: this one was silent for too long. Its documents go on there; look at the
    engine's log for what held it up."""


class BatchSurrendered(LabError):
    """Batch {batch_id} was given back: {why}. Its documents go on in another batch."""


class MissingInput(LabError):
    """Stage {stage!r} needs a value of kind {kind}, and no stage before it made one. Fix the pipeline with
    `medkg-lab pipeline validate`."""


class WrongOutcomes(LabError):
    """The implementation {name!r} answered {given} outcomes for {wanted} documents. Its execute_many must answer one for each."""


class StageUnbuildable(LabError):
    """The implementation {name!r} could not be set up: {detail}. `medkg-lab doctor` checks what it needs."""


class DefinitionMissing(LabError):
    """The ledger has no {kind} {name!r} in version {version}. `medkg-lab ledger rebuild` brings definitions back from the log."""


def failure_kind(error: BaseException) -> str:
    """What a job's `failure_kind` becomes for `error`: what its class says, else `internal`."""
    return str(getattr(error, "failure_kind", "internal"))


def own_part(error: BaseException) -> str | None:
    """The process of the lab that failed, where neither the document nor a service outside is at fault."""
    if isinstance(error, BreakerOpen):
        # The circuit of a stage that stores in the knowledge process opens when that process failed.
        return "knowledge" if str(error.fields["key"]).startswith("knowledge.") else None
    return error.part if isinstance(error, ServiceError) else None


def is_full(error: BaseException) -> bool:
    """Whether the machine has run out of something, for which no document is to blame."""
    return isinstance(error, OSError) and error.errno in _FULL


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})


def reason(error: BaseException) -> str:
    """The text of `error` for a person: the message of the lab's own errors, the class and message of others.

    It can always be sent: a file's name in another encoding is written with escapes.
    """
    text = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
    return text[:MAX_REASON].encode("utf-8", "backslashreplace").decode()


MAX_REASON = 2000
"""Characters of a reason that are kept: a parser may quote half a document."""
