"""Statements that have a name in the SQL mode: `:sql audit`."""

from collections.abc import Mapping

_WHEN = "strftime(make_timestamp(CAST(ts * 1e6 AS BIGINT)), '%Y-%m-%d %H:%M:%S') AS utc"
NAMED: Mapping[str, str] = {
    "audit": f"SELECT {_WHEN},\n  actor, action, subject, before, after, why, jobs\nFROM audit ORDER BY seq DESC",
    "logins": (
        f"SELECT {_WHEN},\n  action, actor, subject AS place, why\n"
        "FROM audit WHERE action LIKE 'login.%' ORDER BY seq DESC"
    ),
}
