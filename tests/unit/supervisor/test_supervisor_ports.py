"""Which ports a lab starts with."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple
from pathlib import Path

import pytest

from medkg_lab import ports, settings
from medkg_lab.locations import Locations, locate
from medkg_lab.orchestration.connections import listeners
from medkg_lab.ports import free_port, lab_ports
from medkg_lab.process import CannotRun
from medkg_lab.settings import PortSettings, Settings, SettingsInvalid
from medkg_lab.supervisor import port_choice
from medkg_lab.supervisor.errors import PortTaken
from medkg_lab.supervisor.port_choice import choose_ports


@contextmanager
def taken(port: int = 0) -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        yield int(other.getsockname()[1])


@pytest.fixture
def places(short_tmp: Path) -> Locations:
    made = locate(short_tmp)
    made.create()
    return made


def test_ports_are_kept_while_they_are_free(places: Locations) -> None:
    before = lab_ports(places)
    assert choose_ports(places, Settings()) == []
    assert lab_ports(places) == before


START = """
import sys
from medkg_lab.locations import locate
from medkg_lab.ports import free_port, lab_ports
from medkg_lab.settings import Settings
from medkg_lab.supervisor import port_choice
port_choice.DAGSTER_PORT = int(sys.argv[2])
places = locate(sys.argv[1])
places.create()
notes = port_choice.choose_ports(places, Settings())
print(lab_ports(places).dagster, len(notes), flush=True)
sys.stdin.read()
"""


def test_of_labs_that_start_at_once_one_has_the_usual_port(tmp_path: Path) -> None:
    usual = free_port()
    homes = [tmp_path / "one", tmp_path / "two"]
    commands = [[sys.executable, "-c", START, str(home), str(usual)] for home in homes]
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(subprocess.Popen(one, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            for one in commands
        ]
        for one in started:
            assert one.stdin is not None
            stack.callback(one.stdin.close)
        said = [one.stdout.readline().split() for one in started if one.stdout is not None]
        assert sorted(int(port) == usual for port, _ in said) == [False, True]
        assert [notes for _, notes in said] == [b"0", b"0"]


def test_the_usual_port_that_someone_has_is_left_alone(places: Locations, monkeypatch: pytest.MonkeyPatch) -> None:
    with taken() as port:
        monkeypatch.setattr(port_choice, "DAGSTER_PORT", port)
        assert choose_ports(places, Settings()) == []
        assert port not in astuple(lab_ports(places))


def test_a_chosen_port_that_is_taken_is_replaced_with_a_word(places: Locations) -> None:
    before = lab_ports(places)
    with taken(before.broker):
        (note,) = choose_ports(places, Settings())
    assert f"Port {before.broker} of broker" in note
    assert f"process {os.getpid()}" in note
    now = lab_ports(places)
    assert now.broker != before.broker
    assert now.dagster == before.dagster


def test_a_set_port_is_used_or_its_holder_named(places: Locations) -> None:
    with taken() as port:
        with pytest.raises(PortTaken, match=rf"Port {port}.*ports\.dagster.*process {os.getpid()}") as caught:
            choose_ports(places, Settings(ports=PortSettings(dagster=port)))
    assert caught.value.exit_code == 3
    assert choose_ports(places, Settings(ports=PortSettings(dagster=port))) == []
    assert lab_ports(places).dagster == port


def test_a_set_port_that_the_other_has_moves_the_other(places: Locations) -> None:
    broker = lab_ports(places).broker
    assert len(choose_ports(places, Settings(ports=PortSettings(dagster=broker)))) == 1
    now = lab_ports(places)
    assert now.dagster == broker != now.broker


def test_two_set_ports_must_differ(places: Locations) -> None:
    settings.path(places).write_text("ports: {broker: 4000, dagster: 4000}\n")
    with pytest.raises(SettingsInvalid, match="different ports"):
        settings.load(places)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"broker": "x"}', '{"broker": 1}'])
def test_damaged_ports_are_chosen_anew(places: Locations, damage: str) -> None:
    (places.state / ports.PORTS).write_text(damage)
    found = lab_ports(places)
    assert json.loads((places.state / ports.PORTS).read_text()) == asdict(found)


def test_dagsters_process_says_which_port_and_never_starts_again(places: Locations) -> None:
    with (
        taken() as port,
        pytest.raises(CannotRun, match=rf"port {port}.*process {os.getpid()}.*ports\.dagster") as caught,
    ):
        listeners(port)
    assert caught.value.exit_code == 78


def test_relative_paths_of_the_settings_are_below_their_file(places: Locations) -> None:
    settings.path(places).write_text("broker: {security: {password_file: secret}}\nallowed_roots: [papers, /data]\n")
    found = settings.load(places)
    assert found.broker.security.password_file == places.config / "secret"
    assert found.allowed_roots == (places.config / "papers", Path("/data"))


def test_a_port_that_is_taken_on_the_other_loopback_address_is_not_free(places: Locations) -> None:
    before = lab_ports(places)
    with socket.socket(socket.AF_INET6) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            other.bind(("::1", before.dagster))
        except OSError:
            pytest.skip("there is no IPv6")
        other.listen()
        assert len(choose_ports(places, Settings())) == 1
    assert lab_ports(places).dagster != before.dagster
