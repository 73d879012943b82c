"""The secrets that open a lab: files of mode 0600 in its state folder, new at every start of the supervisor."""

import re
import secrets
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.files import replace_private, write_private
from medkg_lab.locations import Locations

LAB_ACCOUNT = "lab"
"""The embedded broker's account with all rights: the lab's own processes and commands."""
PRODUCER_ACCOUNT = "producer"
"""The embedded broker's account that may write requests, and nothing else."""
_PASSWORD = re.compile(r"[!-~]{16,200}")


class PasswordUnusable(LabError):
    """The password in {path} cannot be used: {detail}. It has 16 to 200 visible ASCII characters without blanks, alone in a
    file of mode 0600; `openssl rand -hex 24` makes a good one."""

    exit_code = exit_codes.NO_RESTART


def renew(locations: Locations) -> None:
    """Replace every secret of the lab; what was given away before opens nothing any more."""
    for path in (_account(locations, LAB_ACCOUNT), _account(locations, PRODUCER_ACCOUNT), _dagster(locations)):
        replace_private(path, secrets.token_urlsafe(32))


def password_file(locations: Locations, account: str) -> Path:
    """The file with the password of an account of the embedded broker."""
    return _made(_account(locations, account))


def password(path: Path) -> str:
    """The password in a file of one's own. Raises PasswordUnusable."""
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise PasswordUnusable(path=path, detail=error.strerror) from None
    except UnicodeDecodeError:
        raise PasswordUnusable(path=path, detail="it is not ASCII") from None
    if mode & 0o077:
        raise PasswordUnusable(path=path, detail="other users may open the file")
    if not _PASSWORD.fullmatch(text):
        raise PasswordUnusable(path=path, detail="it is too short, too long, or has characters that are not allowed")
    return text


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


def api_token_file(locations: Locations, name: str) -> Path:
    """The file with one of the HTTP API's tokens, made when there is none; programs keep it, so a start does not renew it."""
    return _made(locations.state / f"api-{name}.token")


def metrics_token_file(locations: Locations) -> Path:
    """The file with the token that Prometheus sends, made when there is none; a start does not renew it."""
    return _made(locations.state / "metrics.token")


def _account(locations: Locations, name: str) -> Path:
    return locations.state / f"broker-{name}.password"


def _dagster(locations: Locations) -> Path:
    return locations.state / "dagster.token"


def _made(path: Path) -> Path:
    """`path`, with a new secret in it when nothing was there."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path
