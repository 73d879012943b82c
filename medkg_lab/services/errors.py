"""What can be wrong with a server that the profile names."""

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class ServerUnknown(LabError):
    """The profile {profile!r} names no server {name!r}. Restart the lab (`medkg-lab down`, `medkg-lab up`) after a change to the
    servers of a profile."""

    exit_code = exit_codes.NO_RESTART


class ServerUnstartable(LabError):
    """The command of server {name!r} cannot be started: {detail}. Install it, or fix `command` in the profile."""

    exit_code = exit_codes.NO_RESTART


class ServerAddressTaken(LabError):
    """Something else answers at {url} already, so server {name!r} is not started. Stop that, or take the server out of the
    profile to use what answers."""


class ServerEnded(LabError):
    """Server {name!r} ended with exit code {code} {when}. Its own last lines are above."""


class ServerNotReady(LabError):
    """Server {name!r} did not answer 200 at {url} within {seconds} s: {detail}. Fix `ready_url`, or raise `ready_seconds` in the
    profile."""
