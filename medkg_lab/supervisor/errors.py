"""What can go wrong between a lab's supervisor and those who ask it."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class SupervisorFailed(LabError):
    """The lab's supervisor did not do as it was asked: {detail}. Its log is {log}."""


class PortTaken(LabError):
    """Port {port}, which `{setting}` in {path} names, cannot be used: {detail}. Stop that, or name another port there; without
    one the lab chooses a free port."""

    exit_code: ClassVar[int] = exit_codes.NOT_READY


class LabNotReady(LabError):
    """These processes of the lab will not become ready: {processes}. `medkg-lab logs NAME` shows why."""

    exit_code: ClassVar[int] = exit_codes.NOT_READY


class LabStarting(LabError):
    """The lab is still starting after {seconds} s: {processes}. It goes on by itself: `medkg-lab status` shows how far it is,
    and `medkg-lab up --timeout SECONDS` waits for longer."""

    exit_code: ClassVar[int] = exit_codes.NOT_READY


class LabSilent(LabError):
    """The lab at {home} runs as process {pid}, but its supervisor does not answer: {detail}."""

    exit_code: ClassVar[int] = exit_codes.NOT_READY


class AnotherVersion(LabError):
    """The lab at {home} was started by another version of medkg-lab ({detail}). `medkg-lab down`, then `medkg-lab up` starts it
    anew."""

    exit_code: ClassVar[int] = exit_codes.NOT_READY


class LabOfAnotherUser(LabError):
    """The lab at {home} belongs to user {owner}. Only that user can reach it: run the command as {owner}, or choose another lab
    with `--home`."""

    exit_code: ClassVar[int] = exit_codes.NOT_READY


class UnknownProcess(LabError):
    """The lab has no process called {name!r}. It has: {known}."""

    exit_code: ClassVar[int] = exit_codes.USAGE
