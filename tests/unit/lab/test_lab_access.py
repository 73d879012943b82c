"""How a producer is told to get in."""

from pathlib import Path

import pytest

from medkg_lab.broker.errors import BadBrokerSetting
from medkg_lab.credentials import PasswordUnusable
from medkg_lab.lab import doctor
from medkg_lab.lab.access import producer_access
from medkg_lab.lab.facade import Lab


def lab_with(home: Path, broker: str) -> Lab:
    (home / "config").mkdir()
    (home / "config" / "settings.yaml").write_text(f"broker: {{{broker}}}\n")
    return Lab.at(home)


def test_everything_but_the_password_is_shown(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, "topic_prefix: my.")
    found = producer_access(lab)
    assert (found.mechanism, found.user, found.topic) == ("SCRAM-SHA-256", "producer", "my.ingest.requests.v1")
    assert not found.lasting
    assert found.password_file is not None
    password = Path(found.password_file).read_text()
    assert all(password not in text for text in found.clients.values())
    assert f"--home {tmp_path}" in found.clients["kcat"]
    told = producer_access(lab, show_password=True).clients
    assert {name for name, text in told.items() if password in text} == {"librdkafka", "java"}
    for name in ("confluent-kafka", "aiokafka", "kafka-python"):
        compile(told[name].replace("await ", ""), name, "exec")


def test_a_pinned_password_lasts(tmp_path: Path) -> None:
    own = tmp_path / "own.password"
    own.write_text("a-password-of-ones-own\n")
    own.chmod(0o600)
    lab = lab_with(tmp_path, f"producer_password_file: {own}")
    found = producer_access(lab, show_password=True)
    assert found.lasting
    assert found.clients["librdkafka"].endswith("sasl.password=a-password-of-ones-own")
    own.chmod(0o644)
    with pytest.raises(PasswordUnusable, match="other users"):
        producer_access(lab)


def test_an_open_broker_asks_for_nothing_and_another_one_decides_itself(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "other").mkdir()
    lab = lab_with(tmp_path / "open", "authentication: none")
    found = producer_access(lab)
    assert (found.mechanism, found.password_file) == (None, None)
    assert "sasl" not in "".join(found.clients.values())
    checks = {one.name: one.found for one in doctor.examine(lab.locations, lab.settings)}
    assert "every user" in checks["broker access"]
    with pytest.raises(BadBrokerSetting, match="external"):
        producer_access(lab_with(tmp_path / "other", "engine: external, bootstrap: 'kafka:9092'"))
