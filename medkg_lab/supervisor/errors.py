"""What can go wrong between a lab's supervisor and those who ask it."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class SupervisorFailed(LabError):
    """The lab's supervisor did not do as it was asked: {detail}. Its log is {log}."""


class LabNotReady(LabError):
    """These processes of the lab are not ready after {seconds} s: {processes}. `medkg-lab logs NAME` shows why."""


class UnknownProcess(LabError):
    """The lab has no process called {name!r}. It has: {known}."""

    exit_code: ClassVar[int] = exit_codes.USAGE
