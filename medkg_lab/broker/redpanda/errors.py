"""What keeps Redpanda from starting, each with what to do about it."""

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class RedpandaNotFound(LabError):
    """There is no Redpanda to start: {detail}. Unpack its tarball or install its package, and name the folder in
    broker.redpanda_home or the program in broker.redpanda_binary; or set broker.engine to embedded."""

    exit_code = exit_codes.NO_RESTART


class RedpandaNoAio(LabError):
    """Redpanda could not set up asynchronous disk access: {line}. Raise the limit as root with
    `sysctl -w fs.aio-max-nr=1048576` and start the lab again; or set broker.engine to embedded."""

    exit_code = exit_codes.NO_RESTART


class RedpandaNoMemory(LabError):
    """Redpanda did not get the memory that it asked for: {line}. Free some, or lower broker.redpanda_memory_mib (512 is the
    least)."""

    exit_code = exit_codes.NO_RESTART


class RedpandaPortTaken(LabError):
    """Another program listens on a port that Redpanda needs: {line}. Stop that program, or remove {ports} to have other ports
    chosen."""

    exit_code = exit_codes.NO_RESTART


class RedpandaOldData(LabError):
    """Redpanda cannot go on with the data in {folder}: {line}. Start the version that wrote it, with as many cores as then;
    or carry the topics over with `medkg-lab broker copy` while that version still runs, or move the folder away."""

    exit_code = exit_codes.NO_RESTART


class RedpandaFolderInUse(LabError):
    """Another Redpanda uses {folder}: {line}. Stop it first."""

    exit_code = exit_codes.NO_RESTART


class RedpandaUnloadable(LabError):
    """The program {program} cannot run here: {line}. It needs the libraries that come with it: name the whole unpacked folder
    in broker.redpanda_home, and take the build for this machine's processor."""

    exit_code = exit_codes.NO_RESTART


class RedpandaNotReady(LabError):
    """Redpanda was not ready within {seconds} s; the last it said was: {line}. Look at its log with `medkg-lab logs broker`,
    or raise broker.redpanda_start_seconds on a slow machine."""


class RedpandaEnded(LabError):
    """Redpanda ended with exit code {code}; the last it said was: {line}. Look at its log with `medkg-lab logs broker`."""
