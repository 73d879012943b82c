"""Commands against a real lab: what is not there is one exit code, and the broker's address is told."""

import pytest

from medkg_lab import Lab
from medkg_lab.cli.main import main

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize(
    "words",
    [
        ("jobs", "show", "no-such-job"),
        ("jobs", "why", "no-such-job"),
        ("gate", "show", "no-such-job"),
        ("graph", "node", "no such node"),
        ("graph", "path", "Metformin", "no such node"),
        ("search", "x", "--reranker", "none-such"),
        ("submit", "/no/such/file"),
        ("pipeline", "graph", "no-such-pipeline"),
        ("restart", "no-such-process"),
    ],
)
def test_what_is_not_there_ends_with_code_2(lab: Lab, words: tuple[str, ...]) -> None:
    assert main([*words, "--home", str(lab.home)]) == 2


def test_status_tells_where_the_broker_listens(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--home", str(lab.home)]) == 0
    assert "Kafka: 127.0.0.1:" in capsys.readouterr().out
