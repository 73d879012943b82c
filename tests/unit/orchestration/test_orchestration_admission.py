"""Who may do what with Dagster's pages, as a table."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.orchestration.admission import RequestFacts, ServedNames, Verdict, judge

NAME, LOOPBACK = "lab-1.localhost:4321", "127.0.0.1:4321"
GUARDED = ServedNames(NAME, frozenset({LOOPBACK, "localhost:4321"}))
ALLOWED, LOGIN, FOREIGN, POST = Verdict.ALLOWED, Verdict.LOGIN_NEEDED, Verdict.FOREIGN, Verdict.POST_NEEDED


def request(text: str, **facts: object) -> RequestFacts:
    """A request with the headers of `text`, one a line as `name: value`; the Host is the lab's own unless given."""
    headers: dict[str, list[str]] = {}
    for line in text.split("\n") if text else []:
        name, _, value = line.partition(": ")
        headers.setdefault(name, []).append(value)
    return replace(RequestFacts({"host": [NAME]} | headers), **facts)  # type: ignore[arg-type]


TOKEN, SESSION, CODE = {"token": True}, {"session": True}, {"code": True}
SOCKET = {"is_websocket": True}
OWN = f"origin: http://{NAME}"


@pytest.mark.parametrize(
    ("text", "facts", "verdict"),
    [
        # nothing, the token, a code, a session
        ("", {}, LOGIN),
        ("", TOKEN, ALLOWED),
        ("", CODE, ALLOWED),
        ("", SESSION, FOREIGN),
        ("sec-fetch-site: none", {}, LOGIN),
        ("sec-fetch-site: none", CODE, ALLOWED),
        ("sec-fetch-site: none", SESSION, ALLOWED),
        ("sec-fetch-site: same-origin", SESSION, ALLOWED),
        ("sec-fetch-site: same-origin", TOKEN, ALLOWED),
        (OWN, SESSION, ALLOWED),
        (OWN + "\nsec-fetch-site: same-origin", SESSION, ALLOWED),
        # other sites, and other ports of this machine, which browsers call the same site
        *(
            ("sec-fetch-site: " + site, facts, FOREIGN)
            for site in ("same-site", "cross-site", "", "Same-Origin", "none,none")
            for facts in (SESSION, TOKEN, CODE, {})
        ),
        # Origin
        *(
            (f"sec-fetch-site: same-origin\norigin: {origin}", facts, FOREIGN)
            for origin in (
                "http://evil.example",
                "null",
                "",
                f"https://{NAME}",
                f"HTTP://{NAME}",
                f"http://{LOOPBACK}",
                "http://lab-1.localhost",
                "http://lab-1.localhost:4322",
                f"http://{NAME}.evil.example",
                f"http://{NAME}/",
            )
            for facts in (SESSION, TOKEN, CODE)
        ),
        # Host
        *(
            (f"host: {host}\nsec-fetch-site: none", facts, FOREIGN)
            for host in (
                "evil.example:4321",
                "lab-2.localhost:4321",
                "lab-1.localhost",
                "lab-1.localhost:4322",
                "localhost.:4321",
                "",
                "127.0.0.1",
                "127.1:4321",
                "0.0.0.0:4321",
                "2130706433:4321",
                "x.lab-1.localhost:4321",
            )
            for facts in (SESSION, TOKEN, CODE, {})
        ),
        (f"host: {LOOPBACK}", TOKEN, ALLOWED),
        (f"host: {LOOPBACK}\norigin: http://{LOOPBACK}", TOKEN, ALLOWED),
        (f"host: {LOOPBACK}\n{OWN}", TOKEN, FOREIGN),
        ("host: LOCALHOST:4321", TOKEN, ALLOWED),
        (f"host: {LOOPBACK}\nsec-fetch-site: none", SESSION, FOREIGN),
        (f"host: {LOOPBACK}\nsec-fetch-site: none", CODE, FOREIGN),
        (f"host: {LOOPBACK}", {}, FOREIGN),
        # a header twice
        (f"host: {NAME}\nhost: {NAME}", TOKEN, FOREIGN),
        ("host: evil.example\nhost: " + NAME, TOKEN, FOREIGN),
        (f"{OWN}\n{OWN}", TOKEN, FOREIGN),
        ("sec-fetch-site: none\nsec-fetch-site: cross-site", SESSION, FOREIGN),
        ("authorization: Bearer a\nauthorization: Bearer b", TOKEN, FOREIGN),
        # websockets: a browser always gives Origin there
        (OWN, SESSION | SOCKET, ALLOWED),
        (OWN + "\nsec-fetch-site: same-origin", SESSION | SOCKET, ALLOWED),
        ("sec-fetch-site: same-origin", SESSION | SOCKET, FOREIGN),
        ("origin: http://evil.example", SESSION | SOCKET, FOREIGN),
        ("", TOKEN | SOCKET, ALLOWED),
        ("origin: http://evil.example", TOKEN | SOCKET, FOREIGN),
        ("", CODE | SOCKET, LOGIN),
        # GraphQL
        *(
            ("sec-fetch-site: same-origin", {"method": method, "path": "/graphql", "has_query": True} | facts, POST)
            for method in ("GET", "HEAD", "PUT")
            for facts in ({}, SESSION, TOKEN)
        ),
        ("sec-fetch-site: same-site", {"path": "/graphql", "has_query": True} | SESSION, POST),
        ("", {"path": "/graphql\n", "has_query": True} | TOKEN, POST),
        ("sec-fetch-site: same-origin", {"path": "/graphql"} | SESSION, ALLOWED),
        (OWN, {"method": "POST", "path": "/graphql"} | SESSION, ALLOWED),
        ("", {"method": "POST", "path": "/graphql"} | SESSION, FOREIGN),
        ("", {"path": "/graphql", "has_query": True} | TOKEN | SOCKET, ALLOWED),
    ],
)
def test_the_rule(text: str, facts: dict[str, object], verdict: Verdict) -> None:
    if text.startswith("host: ") and "\nhost: " not in text:
        first, _, rest = text.partition("\n")
        asked = request(rest, **facts)
        asked = replace(asked, headers={**asked.headers, "host": [first.removeprefix("host: ")]})
    elif text.startswith("host: "):
        asked = replace(request("", **facts), headers={"host": text.replace("host: ", "").split("\n")})
    else:
        asked = request(text, **facts)
    assert judge(asked, GUARDED) is verdict


def test_a_request_without_host_is_refused() -> None:
    assert judge(RequestFacts(token=True), GUARDED) is FOREIGN


@given(
    st.dictionaries(st.sampled_from(["host", "origin", "sec-fetch-site"]), st.lists(st.text(max_size=30), max_size=2)),
    st.booleans(),
)
def test_nothing_opens_without_a_credential(headers: dict[str, list[str]], is_websocket: bool) -> None:
    assert judge(RequestFacts(headers, is_websocket=is_websocket), GUARDED) is not ALLOWED
    assert judge(RequestFacts({"host": [NAME]} | headers, is_websocket=is_websocket), GUARDED) is not ALLOWED
