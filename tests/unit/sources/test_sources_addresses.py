"""Which addresses a foreign record may name."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.sources.addresses import IPV4_NOT_PUBLIC, is_public, why_refused

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.171",
    "192.0.2.7",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::127.0.0.1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:2800:220:1:248:1893:25c8:1946",
    "2a00:1450:4001:80b::200e",
    "2001:200::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_other_addresses_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_never_makes_it_public(address: object) -> None:
    assert not any(is_public(f"{prefix}{address}") for prefix in ("::", "::ffff:", "64:ff9b::", "64:ff9b:1::"))
    assert is_public(str(address)) is not any(address in network for network in IPV4_NOT_PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "file:///etc/passwd",
        "gopher://host/",
        "http:///x",
        "http://user@host/",
        "http://user:word@host/",
        "http://:word@host/",
        "http://host:22/",
        "http://host:25/",
        "http://host:0/",
        "http://host:65536/",
        "http://host:1023/",
        "https://host:6667/",
        "http://host:6000/",
    ],
)
def test_addresses_refused_before_the_name_is_looked_up(url: str) -> None:
    assert why_refused(httpx.URL(url))


@pytest.mark.parametrize(
    "url", ["http://host/", "https://host/", "http://host:8080/a", "https://host:443/", "http://host:80/"]
)
def test_addresses_of_web_pages(url: str) -> None:
    assert why_refused(httpx.URL(url)) == ""
