"""The one way to the outside against a real server that misbehaves in every way we know."""

import gzip
import socket
import ssl
import threading

import pytest

from medkg_lab.sources import addresses
from medkg_lab.sources.errors import (
    AnswerTooBig,
    BadAnswer,
    ForbiddenAddress,
    HttpTimeout,
    RateLimited,
    ServiceUnavailable,
)
from medkg_lab.sources.exchanges import Exchange
from medkg_lab.sources.http_client import HttpxClient, trusted_hosts
from tests.http_service import Answer, http_service


class Kept:
    def __init__(self):
        self.exchanges: list[Exchange] = []

    def record(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)


@pytest.fixture
def service():
    with http_service() as running:
        yield running


@pytest.fixture
def log():
    return Kept()


@pytest.fixture
def http(service, log):
    with HttpxClient(trusted=trusted_hosts([service.url]), log=log, now=lambda: 1000.0) as made:
        yield made


def ask(http, service, path="/a", timeout=5.0, max_bytes=1000, **more):
    return http.request("GET", service.url + path, timeout=timeout, max_bytes=max_bytes, **more)


def test_answer_and_its_record(http, service, log):
    service.answers["/a"] = [Answer(b"hello", headers={"content-type": "text/plain", "set-cookie": "s=1"})]
    with http.labelled(job="j1", attempt=2):
        answer = ask(http, service, params={"q": "x", "api_key": "s3cret"})
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"hello", "text/plain")
    assert service.asked[0].query == {"q": "x", "api_key": "s3cret"}
    assert service.asked[0].headers["user-agent"].startswith("medkg-lab/")
    (kept,) = log.exchanges
    assert "s3cret" not in repr(kept)
    assert "set-cookie" not in kept.headers
    assert (kept.status, kept.body, kept.started, kept.labels) == (200, b"hello", 1000.0, {"job": "j1", "attempt": 2})
    ask(http, service)
    assert log.exchanges[1].labels == {}


@pytest.mark.parametrize(
    ("header", "seconds"), [({"retry-after": "7"}, 7.0), ({}, None), ({"retry-after": "soon"}, None)]
)
def test_too_many_requests(http, service, log, header, seconds):
    service.answers["/a"] = [Answer(b"slow down", 429, header)]
    with pytest.raises(RateLimited) as caught:
        ask(http, service)
    assert caught.value.retry_after == seconds
    assert (log.exchanges[0].status, log.exchanges[0].error) == (429, "RateLimited")


@pytest.mark.parametrize("status", [500, 502, 503])
def test_service_in_trouble(http, service, status):
    service.answers["/a"] = [Answer(b"oops", status, {"retry-after": "3"})]
    with pytest.raises(ServiceUnavailable) as caught:
        ask(http, service)
    assert caught.value.retry_after == 3


def test_client_errors_are_for_the_caller(http, service):
    assert ask(http, service, "/none").status == 404


def test_silence(http, service, log):
    service.answers["/a"] = [Answer(hang=True)]
    with pytest.raises(HttpTimeout):
        ask(http, service, timeout=0.2)
    assert (log.exchanges[0].status, log.exchanges[0].error) == (None, "HttpTimeout")


def test_nobody_listens(http, service):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with HttpxClient(trusted=frozenset({f"127.0.0.1:{port}"})) as other, pytest.raises(ServiceUnavailable):
        other.request("GET", f"http://127.0.0.1:{port}/", timeout=2, max_bytes=10)


def test_answer_cut_short(http, service):
    service.answers["/a"] = [Answer(b"half", truncate=True)]
    with pytest.raises(BadAnswer):
        ask(http, service)


def test_answer_over_the_limit(http, service):
    service.answers["/a"] = [Answer(b"x" * 2000)]
    with pytest.raises(AnswerTooBig):
        ask(http, service, max_bytes=1999)
    assert len(ask(http, service, max_bytes=2000).body) == 2000


def test_compressed_answer_counts_unpacked(http, service):
    service.answers["/a"] = [Answer(gzip.compress(b"\0" * 5_000_000), headers={"content-encoding": "gzip"})]
    with pytest.raises(AnswerTooBig):
        ask(http, service, max_bytes=1_000_000)


def test_not_really_gzip(http, service):
    service.answers["/a"] = [Answer(b"plain", headers={"content-encoding": "gzip"})]
    with pytest.raises(BadAnswer):
        ask(http, service)


def test_redirects_are_followed_within_limits(http, service):
    service.answers["/a"] = [Answer(status=302, headers={"location": "/b"})]
    service.answers["/b"] = [Answer(b"there")]
    answer = ask(http, service)
    assert (answer.body, answer.url) == (b"there", service.url + "/b")
    service.answers["/b"] = [Answer(status=301, headers={"location": "/a"})]
    with pytest.raises(BadAnswer):
        ask(http, service)


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.1:1/", "http://10.0.0.1/", "http://[::1]/"]
)
def test_redirects_do_not_lead_into_this_network(http, service, target):
    service.answers["/a"] = [Answer(status=302, headers={"location": target})]
    with pytest.raises((ForbiddenAddress, BadAnswer)):
        ask(http, service)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/",
        "http://localhost/",
        "http://169.254.169.254/latest",
        "gopher://x/",
        "nothing",
        "http://[::ffff:127.0.0.1]/",
    ],
)
def test_private_addresses_are_not_asked(url, log):
    with HttpxClient(log=log) as http, pytest.raises(ForbiddenAddress):
        http.request("GET", url, timeout=1, max_bytes=10)


def test_proxies_of_the_environment_are_ignored(service, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    service.answers["/a"] = [Answer(b"direct")]
    with HttpxClient(trusted=frozenset({service.host})) as http:
        assert ask(http, service).body == b"direct"


class Names:
    """Stands for the look-up of names: each name of ours has a list of answers, one for each time that it is looked up."""

    def __init__(self, monkeypatch, **answers):
        self.asked, self._answers, self._real = [], answers, socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host, port, *args, **more):
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self._answers:
            return self._real(host, port, *args, **more)
        self.asked.append(name)
        given = self._answers[name][min(len(self.asked), len(self._answers[name])) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in given.split()]


def test_a_name_is_looked_up_once_and_the_checked_address_is_asked(service, monkeypatch):
    """The second answer of the name server is a private address, where a service of ours listens."""
    service.answers["/a"] = [Answer(b"internal")]
    names = Names(monkeypatch, **{"rebind.test": ["192.0.1.1", "127.0.0.1"]})
    url = service.url.replace("127.0.0.1", "rebind.test") + "/a"
    with HttpxClient() as http, pytest.raises((ServiceUnavailable, HttpTimeout)):
        http.request("GET", url, timeout=0.3, max_bytes=10)
    assert names.asked == ["rebind.test"]
    assert service.asked == []


@pytest.mark.parametrize("answer", ["127.0.0.1", "8.8.8.8 127.0.0.1", "10.0.0.1 8.8.8.8", "224.0.0.1"])
def test_every_address_of_a_name_must_be_public(service, monkeypatch, answer):
    names = Names(monkeypatch, **{"mixed.test": [answer]})
    with HttpxClient() as http, pytest.raises(ForbiddenAddress):
        http.request("GET", service.url.replace("127.0.0.1", "mixed.test") + "/a", timeout=1, max_bytes=10)
    assert names.asked == ["mixed.test"]
    assert service.asked == []


def test_the_host_header_keeps_the_name(service, monkeypatch):
    monkeypatch.setattr(addresses, "is_public", lambda address: True)
    Names(monkeypatch, **{"paper.test": ["127.0.0.1"]})
    service.answers["/a"] = [Answer(b"hello")]
    with HttpxClient() as http:
        url = service.url.replace("127.0.0.1", "paper.test") + "/a"
        assert http.request("GET", url, timeout=5, max_bytes=10).body == b"hello"
    assert service.asked[0].headers["host"] == service.host.replace("127.0.0.1", "paper.test")


def test_tls_asks_for_the_name(monkeypatch):
    monkeypatch.setattr(addresses, "is_public", lambda address: True)
    Names(monkeypatch, **{"paper.test": ["127.0.0.1"]})
    seen = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda connection, name, _: seen.append(name)

    def shake(listener):
        connection, _ = listener.accept()
        try:
            context.wrap_socket(connection, server_side=True)
        except OSError:
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener, HttpxClient() as http:
        thread = threading.Thread(target=shake, args=(listener,))
        thread.start()
        with pytest.raises(ServiceUnavailable):
            http.request("GET", f"https://paper.test:{listener.getsockname()[1]}/", timeout=5, max_bytes=10)
        thread.join(10)
    assert seen == ["paper.test"]


def test_a_connection_to_an_endpoint_is_not_used_for_a_foreign_address(service):
    service.answers["/a"] = [Answer(b"hello")]
    with HttpxClient() as http:
        assert ask(http, service, endpoint=True).body == b"hello"
        with pytest.raises(ForbiddenAddress):
            ask(http, service)
    assert len(service.asked) == 1


def test_a_host_that_the_settings_name_is_trusted_on_its_port_alone(service):
    trusted = trusted_hosts(["http://127.0.0.1/", "http://h:port/", "https://LOCALHOST:81/x"])
    assert trusted == {"127.0.0.1:80", "localhost:81"}
    with HttpxClient(trusted=trusted) as http, pytest.raises(ForbiddenAddress):
        ask(http, service)


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433:{}",
        "http://0x7f000001:{}",
        "http://0177.0.0.1:{}",
        "http://127.1:{}",
        "http://0:{}",
        "http://[::1]:{}",
        "http://[::ffff:7f00:1]:{}",
        "http://[::127.0.0.1]:{}",
        "http://[64:ff9b::127.0.0.1]:{}",
        "http://[2002:7f00:1::]:{}",
        "http://localhost.:{}",
        "http://LOCALHOST:{}",
        "http://①②⑦.0.0.1:{}",
        "http://127。0。0。1:{}",
        "http://user@127.0.0.1:{}",
        "http://x.localhost:{}",
        "http://127.0.0.1.:{}",
        "http://[::]:{}",
        "http://[fe80::1%25lo]:{}",
    ],
)
def test_no_spelling_reaches_this_machine(service, url):
    with HttpxClient() as http, pytest.raises((ForbiddenAddress, ServiceUnavailable)):
        http.request("GET", url.format(service.url.rpartition(":")[2]) + "/a", timeout=2, max_bytes=10)
    assert service.asked == []


def test_a_port_that_there_is_not_is_refused_for_everyone():
    with HttpxClient(trusted=frozenset({"127.0.0.1:99999"})) as http, pytest.raises(ForbiddenAddress):
        http.request("GET", "http://127.0.0.1:99999/", timeout=1, max_bytes=10, endpoint=True)
