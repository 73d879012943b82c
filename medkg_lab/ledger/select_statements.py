"""What may be asked in SQL: one SELECT."""

import duckdb

from medkg_lab.ledger.errors import QueryFailed, QueryRefused

MAX_SQL_CHARACTERS = 100_000


def check(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse all but one SELECT. Raises QueryRefused and QueryFailed."""
    if len(sql) > MAX_SQL_CHARACTERS:
        raise QueryRefused(detail=f"it is longer than {MAX_SQL_CHARACTERS} characters")
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryFailed(detail=str(error)) from None
    if len(statements) != 1:
        raise QueryRefused(detail=f"it has {len(statements)} statements")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise QueryRefused(detail=f"it is a {statements[0].type.name}")
