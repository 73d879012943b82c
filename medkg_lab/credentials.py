"""The secrets that open a lab: files of mode 0600 in its state folder, new at every start of the supervisor."""

import secrets
from pathlib import Path

from medkg_lab.files import replace_private, write_private
from medkg_lab.locations import Locations


def renew(locations: Locations) -> None:
    """Replace every secret of the lab; what was given away before opens nothing any more."""
    for path in (_broker(locations), _dagster(locations)):
        replace_private(path, secrets.token_urlsafe(32))


def broker_password_file(locations: Locations) -> Path:
    """The file with the embedded broker's password."""
    return _made(_broker(locations))


def dagster_token(locations: Locations) -> str:
    """The token that opens Dagster's pages."""
    return _made(_dagster(locations)).read_text().strip()


def dagster_host(locations: Locations) -> str:
    """The host name of this lab's Dagster pages, chosen once: names below `localhost` lead to this machine (RFC 6761).

    It is not a secret. No other lab and no other port has it, so none of them gets the pages' cookie.
    """
    path = locations.state / "dagster.host"
    if not path.exists():
        write_private(path, f"lab-{secrets.token_hex(6)}.localhost")
    return path.read_text().strip()


def _broker(locations: Locations) -> Path:
    return locations.state / "broker.password"


def _dagster(locations: Locations) -> Path:
    return locations.state / "dagster.token"


def _made(path: Path) -> Path:
    """`path`, with a new secret in it when nothing was there."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path
