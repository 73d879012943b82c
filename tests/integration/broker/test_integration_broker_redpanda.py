"""Redpanda as the lab's broker, with a program in its place that behaves as Redpanda does in each case."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from medkg_lab import exit_codes, locations, settings
from medkg_lab.broker import engine, probe
from medkg_lab.broker.redpanda import installation
from medkg_lab.broker.redpanda.engine import RedpandaEngine
from medkg_lab.broker.redpanda.errors import (
    RedpandaFolderInUse,
    RedpandaNoAio,
    RedpandaNoMemory,
    RedpandaNotFound,
    RedpandaOldData,
    RedpandaPortTaken,
    RedpandaUnloadable,
)
from medkg_lab.broker.redpanda.process import explain
from tests.redpandas import make_fake


class Lab:
    """The broker process of a lab with a Redpanda."""

    def __init__(self, home: Path, **broker: object) -> None:
        self.home = home
        self.locations = locations.locate(str(home))
        self.locations.create()
        chosen = {"engine": "redpanda", **{name: str(value) for name, value in broker.items()}}
        (self.locations.config / "settings.yaml").write_text(yaml.safe_dump({"broker": chosen}))
        found = engine.choose(self.locations, settings.load(self.locations))
        assert isinstance(found, RedpandaEngine)
        self.engine = found
        argv = found.argv()
        assert argv is not None
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ready_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)

    def ended(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said.strip().splitlines()[-1]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Lab]:
    make_fake(tmp_path / "redpanda")
    lab = Lab(tmp_path / "home", redpanda_home=tmp_path / "redpanda")
    yield lab
    lab.close()


def test_it_is_started_with_fsync_and_is_ready_when_it_serves(serving: Lab, tmp_path: Path) -> None:
    facts = json.loads(serving.ready_line())
    assert (facts["version"], facts["path"]) == ("v99.1.2 (a stand-in)", str(tmp_path / "redpanda/libexec/redpanda"))
    assert list(probe.metadata(str(serving.engine.address)).brokers.values()) == [str(serving.engine.address)]
    assert serving.engine.details() == {"version": facts["version"], "path": facts["path"]}

    argv = json.loads((tmp_path / "redpanda/argv.json").read_text())
    assert "--unsafe-bypass-fsync=0" in argv
    assert argv[argv.index("--smp") + 1] == "1"
    assert argv[argv.index("--memory") + 1] == "1024M"
    config = yaml.safe_load(Path(argv[argv.index("--redpanda-cfg") + 1]).read_text())["redpanda"]
    listening = [config["rpc_server"], *config["kafka_api"], *config["advertised_kafka_api"], *config["admin"]]
    assert {one["address"] for one in listening} == {"127.0.0.1"}
    assert config["kafka_api"][0]["port"] == facts["port"]
    cluster = yaml.safe_load((Path(serving.engine.plan.folder) / ".bootstrap.yaml").read_text())
    assert cluster["write_caching_default"] == "false"

    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(20) == 0
    with pytest.raises(probe.BrokerUnreachable):
        probe.metadata(str(serving.engine.address), 1)


def test_it_does_not_outlive_the_process_that_started_it(serving: Lab) -> None:
    assert serving.ready_line()
    serving.process.kill()
    serving.process.wait(20)
    from tests.waiting import wait_until

    def gone() -> bool:
        try:
            probe.metadata(str(serving.engine.address), 1)
        except probe.BrokerUnreachable:
            return True
        return False

    wait_until(gone, 20, "the end of Redpanda")


SAYINGS = {
    "Could not setup Async I/O: Not enough request capacity in /proc/sys/fs/aio-max-nr.": RedpandaNoAio,
    "ERROR seastar - std::runtime_error (insufficient physical memory: needed 1073741824 available 52)": RedpandaNoMemory,
    "posix_listen failed for address 127.0.0.1:9644: Address already in use": RedpandaPortTaken,
    "Incompatible downgrade detected!  My version 9, feature table 13": RedpandaOldData,
    "Detected change in number of cores dedicated to run redpanda.Decreasing redpanda core count is not allowed.": (
        RedpandaOldData
    ),
    "Failed to lock pidfile /data/pid.lock: already locked": RedpandaFolderInUse,
    "redpanda: error while loading shared libraries: libfoo.so: cannot open shared object file": RedpandaUnloadable,
}


@pytest.mark.parametrize(("saying", "error"), SAYINGS.items())
def test_what_it_says_at_its_end_becomes_what_to_do(saying: str, error: type[Exception], tmp_path: Path) -> None:
    lines = ["INFO  main - starting", saying, "ERROR main - Failure during startup"]
    found = explain(lines, 1, tmp_path, tmp_path / "ports.json", Path("/opt/redpanda/libexec/redpanda"))
    assert type(found) is error
    assert saying in str(found)
    assert found.exit_code == exit_codes.NO_RESTART


def test_a_failure_at_start_ends_the_process_with_its_reason(tmp_path: Path) -> None:
    make_fake(tmp_path / "redpanda", "say:" + next(iter(SAYINGS)))
    code, said = Lab(tmp_path / "home", redpanda_home=tmp_path / "redpanda").ended()
    assert code == exit_codes.NO_RESTART
    assert "fs.aio-max-nr=1048576" in said


def test_an_end_that_nobody_knows_may_be_tried_again(tmp_path: Path) -> None:
    make_fake(tmp_path / "redpanda", "say:something new went wrong")
    code, said = Lab(tmp_path / "home", redpanda_home=tmp_path / "redpanda").ended()
    assert code not in (0, exit_codes.NO_RESTART)
    assert "something new went wrong" in said


def test_one_that_is_never_ready_is_ended_and_said_so(tmp_path: Path) -> None:
    make_fake(tmp_path / "redpanda", "hang")
    lab = Lab(tmp_path / "home", redpanda_home=tmp_path / "redpanda", redpanda_start_seconds=2)
    code, said = lab.ended()
    assert code not in (0, exit_codes.NO_RESTART)
    assert "still electing a leader" in said


def test_a_missing_program_is_said_with_where_it_was_looked_for(tmp_path: Path) -> None:
    code, said = Lab(tmp_path / "home", redpanda_home=tmp_path / "empty").ended()
    assert code == exit_codes.NO_RESTART
    assert str(tmp_path / "empty/libexec/redpanda") in said


def test_a_copy_outside_of_its_standard_place_runs_through_its_own_loader(tmp_path: Path) -> None:
    program = make_fake(tmp_path, place="opt/redpanda/libexec/redpanda")
    assert installation.find(tmp_path, None).command == (str(program),)
    loader = tmp_path / "opt/redpanda/lib/ld.so"
    loader.parent.mkdir()
    loader.touch()
    command = (str(loader), "--library-path", str(loader.parent), str(program))
    assert installation.find(tmp_path, None).command == command
    assert installation.find(None, program).command == command
    with pytest.raises(RedpandaNotFound):
        installation.find(None, tmp_path / "nothing")


def test_a_program_that_cannot_run_is_said_so(tmp_path: Path) -> None:
    program = tmp_path / "redpanda"
    program.write_text(f"#!{sys.executable}\nraise SystemExit('error while loading shared libraries')\n")
    os.chmod(program, 0o755)
    with pytest.raises(RedpandaUnloadable, match="shared libraries"):
        installation.find(None, program).version()
