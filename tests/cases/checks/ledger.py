"""The ledger: SQL that would take all of its memory or its time, and restarts of it under work."""

import os
import random
import time
from pathlib import Path
from typing import Any

from tests.cases.case import Context, Outcome, case
from tests.faults.lab.chaos import bundled_documents, real_documents
from tests.labs import Done, TestLab
from tests.waiting import wait_until

BIG = "170141183460469231731687303715884105727"
ATTACKS = (
    "SELECT range(1000000000)",
    "SELECT repeat('x', 300000000)",
    "SELECT list(range) FROM range(200000000)",
    "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE hash(a.range, b.range) % 1000003 = 1",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    "SELECT * FROM read_csv('/etc/passwd')",
    "ATTACH '/tmp/other.duckdb'",
    "COPY job TO '/tmp/stolen.csv'",
    "INSTALL httpfs",
    "PRAGMA version",
    "SELECT getenv('HOME')",
)
MAX_GROWTH_KIB = 128 * 1024
RESTARTS = 20
LARGE, SMALL = 2, 5
"""Documents with each restart: real articles, where there are any, and small studies."""


def most_memory(lab: TestLab) -> int:
    """The most memory that the ledger's process ever had, in KiB."""
    status = Path(f"/proc/{lab.pids()['ledgerd']}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def clear(done: Done) -> bool:
    """Whether a command was refused with a message of its own, not with a traceback or for want of an answer."""
    refused = done.code != 0 and "Traceback" not in done.err
    return refused and "did not answer" not in done.err and "medkg-lab:" in done.err


@case("lab/05", "the value as text at once, and all of DuckDB's types answered")
def hugeint(context: Context) -> Outcome:
    return big_integers(context)


@case("security/10", "integers beyond 64 bits as text; what cannot be encoded is an error at once")
def hugeint_again(context: Context) -> Outcome:
    return big_integers(context)


def big_integers(context: Context) -> Outcome:
    with context.lab() as lab:
        began = time.monotonic()
        rows = lab.ok("sql", f"select {BIG}::hugeint, [{BIG}::hugeint], 18446744073709551615::ubigint")["rows"]
        seconds = time.monotonic() - began
        summed = lab.ok("sql", f"select sum(n) from (values ({BIG}::hugeint / 2), (1)) t(n)")["rows"]
        types = lab.ok("sql", "select * from test_all_types()")
        logged = lab.run("logs", "ledgerd", "--lines", "200").out
    right = rows == [[BIG, [BIG], 18446744073709551615]] and len(types["rows"]) == 3 and bool(summed)
    right = right and "Traceback" not in logged and "never retrieved" not in logged
    return Outcome(right, f"{rows[0][0]} in {seconds:.1f} s; {len(types['columns'])} types answered")


@case("security/09", "each attack refused with its reason, the ledger's memory flat, the next query answered")
def memory(context: Context) -> Outcome:
    with context.lab() as lab:
        lab.ok("sql", "SELECT count(*) FROM job")
        pid, before = lab.pids()["ledgerd"], most_memory(lab)
        unclear = [sql for sql in ATTACKS if not clear(lab.run("sql", sql, timeout=120))]
        growth = most_memory(lab) - before
        same = lab.pids()["ledgerd"] == pid
        answered = lab.ok("sql", "SELECT count(*) FROM job")["rows"] == [[0]]
    right = not unclear and same and answered and growth < MAX_GROWTH_KIB
    got = f"{len(ATTACKS) - len(unclear)} of {len(ATTACKS)} refused, the ledger grew by {growth // 1024} MiB"
    return Outcome(right, got + "".join(f"; not clear: {sql}" for sql in unclear))


@case("lab/11", "20 restarts of the ledger under work: all completed, verify clean, no process ended itself")
def restarts(context: Context) -> Outcome:
    chance = random.Random(11)
    shared = os.environ.get("MEDKG_SHARED_DATA")
    small = bundled_documents(context.scratch / "studies", RESTARTS * SMALL)[2:]
    large = real_documents(Path(shared))[6:] if shared else small
    submitted = 0
    with context.lab() as lab:
        ended_before = ended_by_themselves(lab)
        for number in range(RESTARTS):
            chosen = [*portion(large, number, LARGE), *portion(small, number, SMALL)]
            done = lab.run("submit", *map(str, chosen), "--again")
            assert done.code == 0, done.err
            submitted += len(chosen)
            until = time.monotonic() + chance.uniform(0.2, 4.0)
            wait_until(lambda until=until: time.monotonic() > until, 10, "the moment to come")
            if number % 5 == 4:
                lab.ok("ledger", "rebuild")
            else:
                lab.ok("restart", "ledgerd")
        wait_until(lambda: unfinished(lab, submitted) == 0, 900, "the jobs to end")
        states = dict(lab.ok("sql", "SELECT state, count(*) FROM job GROUP BY state")["rows"])
        differences = lab.run("verify", "--json").json()["differences"]
        ended = {name: n for name, n in ended_by_themselves(lab).items() if n > ended_before.get(name, 0)}
    right = states == {"completed": submitted} and not differences and not ended
    return Outcome(right, f"{submitted} submitted, {states}, {len(differences)} differences, ended themselves: {ended}")


def portion(documents: list[Path], number: int, size: int) -> list[Path]:
    """The `number`-th `size` documents, from the beginning again after the last."""
    return [documents[(number * size + n) % len(documents)] for n in range(size)]


def unfinished(lab: TestLab, submitted: int) -> int:
    """How many jobs have not ended yet, those that are still to come counted too."""
    ((ended,),) = lab.ok("sql", "SELECT count(*) FROM job WHERE state IN ('completed', 'failed', 'dead', 'cancelled')")[
        "rows"
    ]
    return submitted - int(ended)


def ended_by_themselves(lab: TestLab) -> dict[str, int]:
    """How often each process but the ledger was started again."""
    processes: list[dict[str, Any]] = lab.ok("status")["processes"]
    return {one["name"]: one["restarts"] for one in processes if one["name"] != "ledgerd"}
