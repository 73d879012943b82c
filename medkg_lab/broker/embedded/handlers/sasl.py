"""SaslHandshake and SaslAuthenticate. Neither waits, so that what a client sent behind them is judged after them."""

from medkg_lab.broker.embedded import requests, responses
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.scram import MECHANISM
from medkg_lab.broker.embedded.service import Peer, Service


async def handshake(
    _: Service, request: Request[requests.SaslHandshakeRequest], peer: Peer
) -> responses.SaslHandshakeResponse:
    """Agree on the mechanism."""
    code = peer.session.handshake(request.body.mechanism, bare=request.head.version == 0)
    return responses.SaslHandshakeResponse(error_code=code, mechanisms=(MECHANISM,))


async def authenticate(
    _: Service, request: Request[requests.SaslAuthenticateRequest], peer: Peer
) -> responses.SaslAuthenticateResponse:
    """Go on with the login."""
    code, answer = peer.session.authenticate(request.body.auth_bytes)
    message = None if code == Code.NONE else "user or password are wrong"
    return responses.SaslAuthenticateResponse(error_code=code, error_message=message, auth_bytes=answer)
