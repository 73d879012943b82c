"""`medkg-lab audit` of a lab in which people did something."""

import getpass
from pathlib import Path

import pytest

from tests.faults.lab.test_faults_kill import write_trials
from tests.labs import TestLab


@pytest.mark.timeout(300)
def test_what_was_retried_shows_with_its_actor_and_outlasts_a_restart(short_tmp: Path) -> None:
    lab = TestLab(short_tmp / "home", short_tmp / "cache")
    try:
        lab.ok("up")
        write_trials(short_tmp / "studies", 0)
        lab.ok("submit", str(short_tmp / "studies" / "0.json"), "--wait")
        [[job]] = lab.ok("sql", "SELECT job_id FROM job")["rows"]
        assert lab.ok("audit", "--job", job) == []
        lab.ok("jobs", "retry", job)
        [entry] = lab.ok("audit", "--action", "job.requeued")
        assert entry["jobs"] == [job]
        assert entry["by"].startswith(getpass.getuser())
        assert lab.ok("audit", "--by", "nobody-of-this-name") == []
        registered = lab.ok("audit", "--action", "definition.registered")
        assert {one["before"] for one in registered} == {""}
        assert job in lab.run("audit").out
        lab.ok("down")
        lab.ok("up")
        assert lab.ok("audit", "--job", job) == [entry]
    finally:
        lab.run("down")
