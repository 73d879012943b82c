"""Running many jobs again at once, and those that the lab runs again by itself, through a ledger that runs."""

import pytest

from medkg_lab import exit_codes
from medkg_lab.cli.main import main
from medkg_lab.lab import retries
from medkg_lab.lab.retries import retry_all
from medkg_lab.lab.wait import Progress
from medkg_lab.lab.why import why_job
from medkg_lab.ledger.client import LedgerClient
from tests.integration.ledger.harness import LedgerProcess, claim, submit
from tests.unit.ledger.worlds import failed, started


def fail(client: LedgerClient, *jobs: str, own: str | None = None) -> None:
    submit(client, *jobs)
    batch = claim(client).batch_id
    client.record(
        batch, [started("ingest", jobs), *(each for job_id in jobs for each in failed("ingest", job_id, own))]
    )


def test_all_that_failed_is_run_again_once(client: LedgerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "PAGE", 7)
    jobs = [f"j{number:02}" for number in range(20)]
    fail(client, *jobs)
    assert retry_all(client, "me", "failed", kind="internal") == []
    assert retry_all(client, "me", "failed", pipeline="gated") == []
    assert sorted(retry_all(client, "me", "failed", kind="bad_input", pipeline="plain")) == jobs
    assert retry_all(client, "me", "failed") == [], "they run already"
    assert client.counts().jobs == {"queued": 20}


@pytest.mark.parametrize(
    "argv",
    [
        ("jobs", "retry"),
        ("jobs", "retry", "a", "--state", "failed"),
        ("jobs", "retry", "a", "--kind", "internal"),
        ("jobs", "retry", "--pipeline", "p"),
        ("jobs", "retry", "--state", "failed", "--from", "parse"),
    ],
)
def test_what_is_to_be_retried_must_be_clear(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == exit_codes.USAGE
    assert "not clear what to retry" in capsys.readouterr().err


def test_whoever_waits_for_a_job_waits_for_the_lab_s_own_retry(ledger: LedgerProcess, client: LedgerClient) -> None:
    fail(client, "own", own="knowledge")
    fail(client, "other")
    progress = Progress()
    for job_id in ("own", "other"):
        job = client.get(job_id)
        assert job is not None
        progress.states[job_id], progress.jobs[job_id] = job.state, job
    assert progress.unfinished() == ["own"]
    assert "runs it again by itself, 20 s after" in why_job(progress.jobs["own"], {}, 0, 0.0)
    assert "runs it again" not in why_job(progress.jobs["other"], {}, 0, 0.0)
    rows = client.query("SELECT job_id, own, own_retries FROM job ORDER BY 1").rows
    assert rows == [["other", None, 0], ["own", "knowledge", 0]]
