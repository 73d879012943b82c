"""Who may do what with Dagster's pages: one pure rule over what a request says of itself.

The browser's own words are what keeps other sites out: Host against DNS rebinding, Origin against cross-site requests, and
Sec-Fetch-Site against pages of another port of this machine, which SameSite takes for the same site. Sources: the Fetch
standard (Origin), W3C Fetch Metadata (Sec-Fetch-Site), RFC 6455 section 10.2 (Origin of websockets).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

GRAPHQL = "/graphql"
OWN_SITES = ("same-origin", "none")
"""What Sec-Fetch-Site may say: a page of ours asks, or the person by address bar or bookmark."""
SINGLE = ("host", "origin", "authorization", "sec-fetch-site")
"""Headers that a request may have once: of two, another reader could believe the other one."""


class Verdict(StrEnum):
    """What is done with a request."""

    ALLOWED = "allowed"
    LOGIN_NEEDED = "login needed"
    FOREIGN = "foreign"
    POST_NEEDED = "post needed"
    NO_SCOPE = "no scope"


@dataclass(frozen=True)
class ServedNames:
    """Which names the pages are served by: `host` is the lab's own, with the port; `for_programs` take the token alone."""

    host: str
    for_programs: frozenset[str]


@dataclass(frozen=True)
class RequestFacts:
    """What a request says: `headers` hold each value of a header; `token`, `session` and `code` whether it brings a valid one,
    and `scoped` whether the token is good for anything."""

    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    method: str = "GET"
    path: str = "/"
    has_query: bool = False
    is_websocket: bool = False
    token: bool = False
    scoped: bool = True
    session: bool = False
    code: bool = False

    def header(self, name: str) -> str | None:
        """The value of a header that may be there once."""
        return next(iter(self.headers.get(name, ())), None)


def judge(asked: RequestFacts, guarded: ServedNames) -> Verdict:
    """What is done with a request.

    GET with a GraphQL query        -> POST_NEEDED, whoever asks
    a header of SINGLE twice        -> FOREIGN
    Host                            -> the lab's own name; 127.0.0.1 and localhost with the token alone; else FOREIGN
    Origin, when given              -> that of the Host asked; else FOREIGN
    Sec-Fetch-Site, when given      -> one of OWN_SITES; else FOREIGN
    a token                         -> ALLOWED when it is good for anything, else NO_SCOPE
    a code                          -> ALLOWED, unless it is a websocket
    a session                       -> ALLOWED when Sec-Fetch-Site was given, or Origin in its place; websockets need Origin
    nothing of these                -> LOGIN_NEEDED
    """
    # More paths than Dagster's router sends to GraphQL, which takes a line break at the end for nothing.
    if asked.path.startswith(GRAPHQL) and asked.has_query and not asked.is_websocket and asked.method != "POST":
        return Verdict.POST_NEEDED
    if any(len(asked.headers.get(name, ())) > 1 for name in SINGLE):
        return Verdict.FOREIGN
    host, origin, site = (asked.header(name) for name in ("host", "origin", "sec-fetch-site"))
    if host is None or not _serves(host.lower(), asked.token, guarded):
        return Verdict.FOREIGN
    if origin is not None and origin != f"http://{host.lower()}":
        return Verdict.FOREIGN
    if site is not None and site not in OWN_SITES:
        return Verdict.FOREIGN
    if asked.token and not asked.scoped:
        return Verdict.NO_SCOPE
    if asked.token or (asked.code and not asked.is_websocket):
        return Verdict.ALLOWED
    if not asked.session:
        return Verdict.LOGIN_NEEDED
    proven = origin is not None or (site is not None and not asked.is_websocket)
    return Verdict.ALLOWED if proven else Verdict.FOREIGN


def _serves(host: str, with_token: bool, guarded: ServedNames) -> bool:
    return host == guarded.host or (with_token and host in guarded.for_programs)
