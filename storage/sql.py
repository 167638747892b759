"""Quote names and texts in SQL."""

from __future__ import annotations

import duckdb

__all__ = ["Cursor", "literal", "quote", "table"]

Cursor = duckdb.DuckDBPyConnection


def quote(name: str) -> str:
    """Quote any text as an SQL identifier.

    >>> quote('close / "open"')
    '"close / ""open""\"'
    """
    return '"' + name.replace('"', '""') + '"'


def table(schema: str, name: str) -> str:
    """The qualified and quoted name of a table.

    >>> table("bars", "sp500")
    'bars."sp500"'
    """
    return f"{schema}.{quote(name)}"


def literal(text: str) -> str:
    """Quote any text as an SQL text.

    >>> literal("O'Neil")
    "'O''Neil'"
    """
    return "'" + text.replace("'", "''") + "'"
