"""The audit of a real ledger: acts, and what was done to jobs, by the client, by SQL, and after pruning and a kill."""

from medkg_lab.lab.audit import Filter, read
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.models.events import ActNoted
from tests.integration.ledger.harness import LedgerProcess, to_gate
from tests.integration.ledger.test_ledger_keeping import head, told


def test_acts_are_listed_after_pruning_and_a_kill(ledger: LedgerProcess, client: LedgerClient) -> None:
    client.note_act(ActNoted("settings.changed", "anna", "batch_limit", "48", "12"), id="once")
    client.note_act(ActNoted("settings.changed", "anna", "batch_limit", "48", "12"), id="once")
    client.note_act(ActNoted("login.refused", "", "Dagster's pages", why="foreign", count=3))
    to_gate(client, "a")
    client.gate_reject("a", by="ben", why="a scan")
    before = list(read(client, Filter()))
    done = [(one.action, one.by, one.subject, one.before, one.after, one.why) for one in before]
    assert done[2:] == [
        ("settings.changed", "anna", "batch_limit", "48", "12", ""),
        ("login.refused", "", "Dagster's pages", "", "", "3 times: foreign"),
        ("gate.rejected", "ben", "gate gate", "waiting", "rejected", "a scan"),
        ("job.cancelled", "ben", "job", "", "cancelled", "a scan"),
    ]
    assert [one.jobs for one in read(client, Filter(job="a"))] == [("a",), ("a",)]
    told(client, head(client))
    assert client.prune(keep=1).pruned > 0
    ledger.kill()
    ledger.start()
    assert list(read(client, Filter())) == before
    actors = client.query("SELECT actor FROM audit WHERE action = 'gate.rejected'").rows
    assert actors == [["ben"]]
