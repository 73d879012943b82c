"""One connection's way to being let in, as Kafka's SaslHandshake and SaslAuthenticate carry it."""

from medkg_lab.broker.embedded.accounts import ANYONE, Accounts
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.scram import MECHANISM, Exchange, NotProved


class Session:
    """Who a connection is: nobody at first, then an `account`. Without accounts everyone is in from the beginning."""

    def __init__(self, accounts: Accounts | None) -> None:
        self.account = ANYONE if accounts is None else None
        self.failed = False
        self.reason = ""
        self.is_bare = False
        """Whether the next frames are the login's messages alone, without a request around them (version 0)."""
        self._accounts = accounts
        self._exchange: Exchange | None = None

    @property
    def is_in(self) -> bool:
        """Whether its requests are answered."""
        return self.account is not None

    def handshake(self, mechanism: str, bare: bool = False) -> Code:
        """Note which mechanism the client is about to use, and whether its messages will come `bare`."""
        if self.is_in or self._accounts is None:
            return self._fail(Code.ILLEGAL_SASL_STATE, "it is let in already")
        if mechanism != MECHANISM:
            return self._fail(Code.UNSUPPORTED_SASL_MECHANISM, f"only {MECHANISM} is offered")
        self._exchange = Exchange(self._accounts.verifier)
        self.is_bare = bare
        return Code.NONE

    def authenticate(self, message: bytes) -> tuple[Code, bytes]:
        """Answer the client's next message; the second good one lets it in."""
        if self._exchange is None or self.is_in:
            return self._fail(Code.ILLEGAL_SASL_STATE, "there was no handshake"), b""
        try:
            if not self._exchange.user:
                return Code.NONE, self._exchange.first(message)
            answer = self._exchange.final(message)
        except NotProved as error:
            return self._fail(Code.SASL_AUTHENTICATION_FAILED, str(error.fields["detail"])), b""
        self.account, self._exchange, self.is_bare = self._exchange.user, None, False
        return Code.NONE, answer

    def refuse(self, reason: str) -> None:
        """Have the next answer be the connection's last."""
        self.failed, self.reason = True, reason

    def _fail(self, code: Code, reason: str) -> Code:
        if not self.is_in:
            self.refuse(reason)
        return code
