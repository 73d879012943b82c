"""`medkg-lab audit` of a lab in which people did something."""

import getpass
import json
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.faults.lab.test_faults_kill import write_trials
from tests.labs import TestLab
from tests.waiting import wait_until


def refused_and_let_in(lab: TestLab) -> None:
    """Someone without a token, and the lab's user, open Dagster's pages."""
    url = lab.ok("dagster", "url")["url"]
    port = lab.ok("status")["ports"]["dagster"]
    assert httpx.get(f"http://127.0.0.1:{port}/", timeout=30).status_code in (401, 403)
    page = httpx.get(url.replace(urlsplit(url).hostname or "", "127.0.0.1"), headers={"Host": urlsplit(url).netloc})
    assert page.status_code == 303
    [refused] = wait_until(lambda: lab.ok("audit", "--action", "login.refused"), 60, "the refusal is noted")
    assert (refused["by"], refused["subject"]) == (getpass.getuser(), "Dagster's pages")
    [let_in] = wait_until(lambda: lab.ok("audit", "--action", "login.accepted"), 60, "the login is noted")
    assert (let_in["by"], let_in["why"]) == (getpass.getuser(), "a one-time code")


@pytest.mark.full
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
        refused_and_let_in(lab)
        lab.ok("repro", "export", job, "--out", str(short_tmp / "one.mklab"))
        assert lab.run("jobs", "acknowledge", job).code != 0
        lab.ok("down")
        (lab.home / "config" / "settings.yaml").write_text("batch_limit: 12\n")
        with_incident = TestLab(short_tmp / "other", short_tmp / "cache")
        with_incident.ok("repro", "import", str(short_tmp / "one.mklab"))
        [kept] = (with_incident.home / "state" / "acts.jsonl").read_text().splitlines()
        assert json.loads(kept)["action"] == "incident.imported"
        (lab.home / "state" / "acts.jsonl").write_text(kept + "\n")
        lab.ok("up")
        assert lab.ok("audit", "--job", job) == [entry]
        [changed] = wait_until(lambda: lab.ok("audit", "--action", "settings.changed"), 60, "the change is noted")
        assert (changed["subject"], changed["before"], changed["after"]) == ("batch_limit", "48", "12")
        assert changed["by"] == getpass.getuser()
        [exported] = lab.ok("audit", "--action", "incident.exported")
        assert (exported["subject"], exported["after"]) == ("one.mklab", job)
        [imported] = wait_until(lambda: lab.ok("audit", "--action", "incident.imported"), 60, "the import is noted")
        assert (imported["subject"], imported["after"]) == ("one.mklab", job)
    finally:
        lab.run("down")
