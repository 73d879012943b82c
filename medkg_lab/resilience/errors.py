"""What keeps a call from being made or from ending in time."""

from medkg_lab import exit_codes
from medkg_lab.errors import LabError, ServiceError


class UnknownPolicy(LabError):
    """There is no resilience policy called {name!r}. There are: {known}. `medkg-lab policies list` shows what each does."""

    exit_code = exit_codes.USAGE


class BreakerOpen(ServiceError):
    """Calls to {key} are suspended for another {seconds:.0f} s because it failed {failures} times in a row. Fix the service;
    the next call after that tries it again."""

    failure_kind = "breaker_open"


class StageTimeout(ServiceError):
    """A call to {key} did not answer within {seconds} s. Raise timeout_seconds of the policy {policy!r}, or look at why it is
    slow."""

    failure_kind = "timeout"


class DeadlineExceeded(ServiceError):
    """{key} was not done within its deadline of {seconds} s, in {attempts} attempt(s). Raise deadline_seconds of the policy
    {policy!r}, or submit again later. What happened last: {last}"""

    failure_kind = "timeout"


class TimedOut(Exception):
    """A call took longer than its policy allows; its outcome is ignored."""
