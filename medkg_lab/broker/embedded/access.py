"""Who may ask: SASL/PLAIN with the one account of a lab, as Kafka's SaslHandshake and SaslAuthenticate carry it (RFC 4616)."""

import hmac

from medkg_lab.broker.embedded.codes import Code

MECHANISM = "PLAIN"


class Session:
    """One connection's way to being let in. Without a password everyone is in from the beginning."""

    def __init__(self, user: str, password: str | None) -> None:
        self._expected = None if password is None else f"{user}\0{password}".encode()
        self._shook_hands = False
        self.is_in = password is None
        self.failed = False

    def handshake(self, mechanism: str) -> Code:
        """Note which mechanism the client is about to use."""
        if self.is_in:
            return self._fail(Code.ILLEGAL_SASL_STATE)
        if mechanism != MECHANISM:
            return self._fail(Code.UNSUPPORTED_SASL_MECHANISM)
        self._shook_hands = True
        return Code.NONE

    def authenticate(self, message: bytes) -> Code:
        """Check the client's message: an identity to act for, which is not used, the user and the password."""
        if self._expected is None or not self._shook_hands:
            return self._fail(Code.ILLEGAL_SASL_STATE)
        _, _, given = message.partition(b"\0")
        if not hmac.compare_digest(given, self._expected):
            return self._fail(Code.SASL_AUTHENTICATION_FAILED)
        self.is_in = True
        return Code.NONE

    def _fail(self, code: Code) -> Code:
        """The answer that was refused is the connection's last."""
        self.failed = not self.is_in
        return code
