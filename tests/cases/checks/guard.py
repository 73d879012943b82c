"""Dagster's web guard, the guard of foreign addresses, and the roots of files."""

import contextlib
import http.client
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from medkg_lab.errors import LabError
from medkg_lab.sources.allowed_roots import read_allowed
from medkg_lab.sources.http_client import HttpxClient
from tests.cases.case import Context, Outcome, case
from tests.http_service import Answer, http_service
from tests.labs import TestLab
from tests.waiting import wait_until

MUTATION = quote('mutation{deletePipelineRun(runId:"none"){__typename}}')
IDLE = 1500
LOG_BYTES = 100_000
TRIES = 5000


class Answered:
    """An answer of Dagster's pages."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode(errors="replace")

    @property
    def cookie(self) -> str:
        """The cookie that it sets."""
        return self.headers["set-cookie"].partition(";")[0]


def ask(address: str, headers: Mapping[str, str], method: str = "GET", body: bytes | None = None) -> Answered:
    """Ask by an address of the pages, whatever the machine makes of its name; the path is sent as it is."""
    host, _, rest = address.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection("127.0.0.1", int(host.rpartition(":")[2]), timeout=20)
    try:
        connection.putrequest(method, "/" + rest, skip_host=True)
        for name, value in ({"Host": host, "Content-Length": str(len(body or b""))} | dict(headers)).items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return Answered(connection.getresponse())
    finally:
        connection.close()


def url(lab: TestLab, page: str = "/") -> str:
    """A new one-time address of a lab's pages."""
    return str(lab.ok("dagster", "url", page)["url"])


TYPED = {"Sec-Fetch-Site": "none"}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@case(
    "security/07",
    "GET with a query 405, same-site 403, a cookie with a session for one host name, two labs apart, redirects stay here",
    as_root=True,
)
def web_guard(context: Context) -> Outcome:
    """The attacks of the case on two labs, and the owner's own ways in."""
    with context.lab("one") as lab, context.lab("two") as other:
        token = str(lab.ok("dagster", "token")["token"])
        address = url(lab)
        base = "http://" + urlsplit(address).netloc
        login = ask(address, TYPED)
        cookie = {"Cookie": login.cookie}
        second = url(other)
        second_login = ask(second, TYPED)
        graphql = f"{base}/graphql?query={MUTATION}"
        posted = {"Content-Type": "application/json"} | cookie
        body = b'{"query": "{version}"}'
        fresh = url(lab)
        seen = {
            "login": login.status == 303
            and all(part in login.headers["set-cookie"] for part in ("HttpOnly", "SameSite=Strict")),
            "cookie is not the token": token not in str(login.headers) + address,
            "used code": ask(address, TYPED).status == 401,
            "GET mutation, same-site": ask(graphql, cookie | {"Sec-Fetch-Site": "same-site"}).status == 405,
            "GET mutation, same-origin": ask(graphql, cookie | SAME_ORIGIN).status == 405,
            "GET mutation, token": ask(graphql, {"Authorization": f"Bearer {token}"}).status == 405,
            "POST, same-site": ask(f"{base}/graphql", posted | {"Sec-Fetch-Site": "same-site"}, "POST", body).status
            == 403,
            "POST, no header": ask(f"{base}/graphql", posted, "POST", body).status == 403,
            "POST, same-origin": ask(f"{base}/graphql", posted | SAME_ORIGIN, "POST", body).status == 200,
            "127.0.0.1 with the cookie": ask(f"http://127.0.0.1:{urlsplit(base).port}/", cookie | SAME_ORIGIN).status
            == 403,
            "?token=": ask(f"{base}/?token={token}", TYPED).status == 401,
            "page": ask(f"{base}/", cookie | SAME_ORIGIN).status == 200,
            "no frames": "frame-ancestors 'none'" in str(ask(f"{base}/", cookie | SAME_ORIGIN).headers),
            "no referrer": ask(f"{base}/", cookie | SAME_ORIGIN).headers["referrer-policy"] == "no-referrer",
            "another port gets nothing": _sent_to_another_port(context.scratch, url(lab)) == [],
            "two labs": {urlsplit(second).netloc, login.cookie.partition("=")[0]}.isdisjoint(
                {urlsplit(base).netloc, second_login.cookie.partition("=")[0]}
            )
            and ask(f"{base}/", {"Cookie": f"{login.cookie}; {second_login.cookie}"} | SAME_ORIGIN).status == 200,
            "the session read by another user": context.as_other_user(
                lambda: ask(f"{base}/", cookie | SAME_ORIGIN).status
            )
            == 401,
            "the code read by another user": context.as_other_user(lambda: ask(fresh, TYPED).status) == 401
            and ask(fresh, TYPED).status == 303,
            "redirects": all(
                _redirects_here(url(lab), path)
                for path in ("/\\evil.example/", "//evil.example/", "/%5cevil", "/%E2%82%AC")
            ),
        }
    wrong = [name for name, right in seen.items() if not right]
    return Outcome(
        not wrong, f"wrong: {', '.join(wrong)}" if wrong else f"{len(seen)} of {len(seen)} as they should be"
    )


def _redirects_here(address: str, path: str) -> bool:
    parts = urlsplit(address)
    answer = ask(f"http://{parts.netloc}{path}?{parts.query}", TYPED)
    location = answer.headers.get("location", "")
    return answer.status == 303 and location.startswith("/") and location[1:2] not in ("/", "\\")


def _sent_to_another_port(scratch: Path, address: str) -> list[str]:
    """The cookies that a server on another port of 127.0.0.1 gets from a client that is logged in."""
    assert shutil.which("curl"), "the case is tried with curl"
    jar, port = scratch / "jar", urlsplit(address).port
    with http_service() as service:
        service.answers["/"] = [Answer(b"mine now")]
        resolve = ["--resolve", f"{urlsplit(address).netloc}:127.0.0.1", "--silent", "--output", "/dev/null"]
        subprocess.run(["curl", *resolve, "-c", str(jar), address], check=True, timeout=60)
        assert "lab-" in jar.read_text(), f"no cookie was set by port {port}"
        for host in ("127.0.0.1", "localhost"):
            target = service.url.replace("127.0.0.1", host) + "/"
            subprocess.run(["curl", "--silent", "-b", str(jar), target], check=True, timeout=60, capture_output=True)
        return [asked.headers["cookie"] for asked in service.asked if "cookie" in asked.headers]


@case(
    "security/08",
    "another user sees no lasting secret in any process's arguments or in outputs, and the code seen opens nothing for them",
    as_root=True,
)
def nothing_lasting_in_arguments(context: Context) -> Outcome:
    """The browser's launcher runs for some seconds, and another user reads every process's arguments meanwhile."""
    browser = context.scratch / "browser"
    shutil.copyfile(context.inputs / "fb.sh", browser)
    browser.chmod(0o755)
    with context.lab() as lab:
        token = str(lab.ok("dagster", "token")["token"])
        printed = json.dumps(lab.ok("status")) + lab.run("status").out + json.dumps(lab.ok("up"))
        command = [sys.executable, "-m", "medkg_lab.cli.main", "dagster", "open"]
        process = subprocess.Popen(command, env=lab.environment | {"BROWSER": str(browser)})
        try:
            read: str = wait_until(
                lambda: next(iter(re.findall(r"http://\S*code=[^\s\0]+", context.as_other_user(_arguments))), ""),
                30,
                "the browser to be started",
            )
            everything = str(context.as_other_user(_arguments))
        finally:
            process.wait(60)
        stolen = context.as_other_user(lambda: ask(read, TYPED).status)
        opened, again = ask(read, TYPED).status, ask(read, TYPED).status
        logs = "".join(path.read_text(errors="replace") for path in (lab.home / "state" / "logs").iterdir())
        secrets = [token, *(path.read_text().strip() for path in (lab.home / "state").glob("*.password"))]
    code = read.rpartition("=")[2]
    shown = [
        place
        for place, text in (("arguments", everything), ("output", printed), ("logs", logs))
        if any(secret in text for secret in secrets)
    ]
    right = not shown and code not in logs and (stolen, opened, again) == (401, 303, 401)
    return Outcome(
        right,
        f"lasting secrets in {shown or 'nothing'}; the code: {stolen} for another user, {opened} for the owner, then {again}",
    )


def _arguments() -> str:
    """The arguments of every process, as a user of this machine can read them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().decode(errors="replace"))
    return "\n".join(found)


def idle_http_connections(context: Context, lab: TestLab) -> Outcome:
    """The part of security/05 that concerns Dagster: connections of another user that send nothing, or halves of requests."""
    port = int(lab.ok("status")["ports"]["dagster"])
    token = str(lab.ok("dagster", "token")["token"])
    log = lab.home / "state" / "logs" / "dagsterd.log"
    before = log.stat().st_size
    slowest, statuses = 0.0, []
    for first in (b"", f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode()):
        with _crowd(context, port, first):
            for _ in range(5):
                started = time.monotonic()
                answer = ask(f"http://127.0.0.1:{port}/server_info", {"Authorization": f"Bearer {token}"})
                slowest = max(slowest, time.monotonic() - started)
                statuses.append(answer.status)
            statuses.append(ask(url(lab), TYPED).status)
    grown = log.stat().st_size - before
    right = set(statuses) == {200, 303} and grown < LOG_BYTES
    return Outcome(
        right, f"{IDLE} connections: pages {sorted(set(statuses))}, slowest {slowest:.2f} s, log grew {grown} bytes"
    )


@contextlib.contextmanager
def _crowd(context: Context, port: int, first: bytes) -> Iterator[None]:
    """Another user holds connections, and opens new ones for those that are ended."""
    started, ended = context.scratch / "started", context.scratch / "ended"
    for mark in (started, ended):
        mark.unlink(missing_ok=True)
    context.scratch.chmod(0o777)

    def hold() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        while not ended.exists():
            held = []
            for _ in range(IDLE):
                with contextlib.suppress(OSError):
                    held.append(socket.create_connection(("127.0.0.1", port), timeout=2))
                    held[-1].sendall(first)
            started.touch()
            for one in held:
                one.close()

    thread = threading.Thread(target=context.as_other_user, args=(hold,), kwargs={"timeout": 120})
    thread.start()
    try:
        wait_until(started.exists, 60, "the connections")
        yield
    finally:
        ended.touch()
        thread.join()


def squatted_dagster_port(context: Context, lab: TestLab) -> Outcome:
    """The part of security/06 that concerns Dagster: a lab that is stopped, and another user who listens on its port."""
    port = json.loads((lab.home / "state" / "ports.json").read_text())["dagster"]
    heard, ended = context.scratch / "heard", context.scratch / "ended"
    context.scratch.chmod(0o777)

    def squat() -> None:
        with socket.create_server(("127.0.0.1", port)) as listener:
            heard.write_bytes(b"")
            listener.settimeout(0.2)
            while not ended.exists():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    with connection, heard.open("ab") as file:
                        connection.settimeout(1)
                        file.write(connection.recv(4000))

    thread = threading.Thread(target=context.as_other_user, args=(squat,), kwargs={"timeout": 300})
    thread.start()
    try:
        wait_until(heard.exists, 30, "the port to be taken")
        up = lab.run("up")
        status = lab.ok("status")
        asked = [lab.run("dagster", action) for action in ("url", "token")]
        token = (lab.home / "state" / "dagster.token").read_text().strip()
    finally:
        ended.touch()
        thread.join()
        lab.run("down")
    moved = status["ports"]["dagster"] != port
    refused = status["dagster_url"] is None and all(one.code == 3 for one in asked)
    secret = any(token in text for text in (heard.read_text(errors="replace"), up.out, up.err))
    return Outcome(
        (moved or refused) and not secret,
        f"{'another port' if moved else status.get('dagster_error', '')}; token sent: {secret}",
    )


@case("security/13", "no request reaches this machine: one look-up, every spelling and every redirect is refused")
def address_guard(context: Context) -> Outcome:
    """The case's addresses, a name that changes its address, and redirects of a trusted service."""
    with http_service() as service:
        port = service.url.rpartition(":")[2]
        service.answers["/"] = [Answer(b"INTERNAL-SECRET")]
        text = (context.inputs / "ssrf.py").read_text()
        listed = re.search(r"for u in (\[.*\]): t\(u\)", text)
        assert listed, "the case's list of addresses"
        urls = [one.replace("9998", port) for one in re.findall(r"'([^']*)'", listed[1])]
        with HttpxClient() as http:
            reached = [one for one in urls if _gets(http, one)]
            with _rebinding("rebind.test", ["192.0.1.1", "127.0.0.1"]) as looked_up:
                reached += ["rebinding"] if _gets(http, f"http://rebind.test:{port}/") else []
        targets = [f"http://{host}:{port}/" for host in ("localhost", "0x7f.1", "[::1]")] + [
            "file:///etc/passwd",
            "http://127.0.0.1:1/",
        ]
        with HttpxClient(trusted=frozenset({service.host})) as http:
            for target in targets:
                service.answers["/from"] = [Answer(status=302, headers={"location": target})]
                reached += [f"redirect to {target}"] if _gets(http, f"{service.url}/from") else []
        hits = [asked.path for asked in service.asked if asked.path != "/from"]
    right = not reached and not hits and len(looked_up) == 1
    return Outcome(
        right,
        f"{len(urls)} addresses and {len(targets)} redirects, reached: {reached or 'none'}; look-ups: {len(looked_up)}",
    )


def _gets(http: HttpxClient, address: str) -> bool:
    try:
        return http.request("GET", address, timeout=1, max_bytes=1000).status < 300
    except LabError:
        return False


@contextlib.contextmanager
def _rebinding(name: str, answers: list[str]) -> Iterator[list[str]]:
    """A name whose look-ups give one answer after the other."""
    real, asked = socket.getaddrinfo, []

    def find_named(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host not in (name, name.encode()):
            return real(host, port, *args, **more)
        asked.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[min(len(asked), len(answers)) - 1], port))]

    socket.getaddrinfo = find_named  # type: ignore[assignment]
    try:
        yield asked
    finally:
        socket.getaddrinfo = real


@case("security/14", f"{TRIES} tries while a folder is swapped for a link: no byte from outside the root")
def file_roots(context: Context) -> Outcome:
    """A folder under an allowed root is swapped for a link to /etc all the time."""
    root = context.scratch / "root"
    folder, other, link = root / "d", root / "e", root / "l"
    folder.mkdir(parents=True)
    (folder / "passwd").write_text("harmless")
    link.symlink_to("/etc")
    ended = threading.Event()

    def swap() -> None:
        while not ended.is_set():
            for source, target in ((folder, other), (link, folder), (folder, link), (other, folder)):
                os.rename(source, target)

    thread = threading.Thread(target=swap)
    thread.start()
    read: list[bytes] = []
    try:
        for _ in range(TRIES):
            with contextlib.suppress(LabError):
                read.append(read_allowed(f"file://{folder}/passwd", [root], 1 << 20)[1])
    finally:
        ended.set()
        thread.join()
    leaked = [one for one in read if one != b"harmless"]
    return Outcome(not leaked and bool(read), f"{TRIES} tries, {len(read)} read, {len(leaked)} from outside")


Part = Callable[[Context, TestLab], Outcome]
PARTS: dict[str, Part] = {"security/05": idle_http_connections, "security/06": squatted_dagster_port}
"""The parts of cases whose other half is the broker's: that module's checks call them."""
