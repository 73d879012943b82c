"""What the guard refuses."""

from medkg_lab.errors import LabError


class TokenRefused(LabError):
    """The token is refused: {reason}. Ask its issuer for another one."""


class KeysUnavailable(LabError):
    """The keys for tokens cannot be had from {place}: {detail}. Check `auth` in settings.yaml, and whether the issuer answers."""
