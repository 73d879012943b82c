"""SaslHandshake and SaslAuthenticate. Neither waits, so that what a client sent behind them is judged after them."""

from medkg_lab.broker.embedded import requests
from medkg_lab.broker.embedded.codec import Answer, Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.scram import MECHANISM
from medkg_lab.broker.embedded.service import Peer, Service


async def handshake(_: Service, request: Request[requests.SaslHandshake], peer: Peer) -> Answer:
    """Agree on the mechanism."""
    code = peer.session.handshake(request.body.mechanism, bare=request.head.version == 0)
    return {"error_code": code, "mechanisms": [MECHANISM]}


async def authenticate(_: Service, request: Request[requests.SaslAuthenticate], peer: Peer) -> Answer:
    """Go on with the login."""
    code, answer = peer.session.authenticate(request.body.auth_bytes)
    message = None if code == Code.NONE else "user or password are wrong"
    return {"error_code": code, "error_message": message, "auth_bytes": answer, "session_lifetime": 0}
