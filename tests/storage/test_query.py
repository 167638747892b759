"""SQL can read everything and write nothing."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from factorloom.expressions.errors import ArgumentError, StoreError
from factorloom.storage.store import Store

READING = {
    "SELECT count(*) AS n FROM bars.demo": 1,
    "FROM bars.demo LIMIT 3": 3,
    "WITH last AS (SELECT max(date) AS d FROM bars.demo) SELECT d FROM last;": 1,
    "VALUES (1), (2)": 2,
    "SHOW TABLES": 18,
    "DESCRIBE bars.demo": 14,
    "EXPLAIN SELECT 1": 1,
    "PIVOT (FROM bars.demo WHERE date >= '2025-12-30') ON date USING first(close) GROUP BY symbol": 29,
    "SELECT 1 -- ; DROP TABLE bars.demo": 1,
}

WRITING = [
    "DROP TABLE bars.demo",
    "DELETE FROM bars.demo",
    "UPDATE bars.demo SET close = 0",
    "INSERT INTO catalog.meta VALUES ('format', '99')",
    "CREATE TABLE bars.other AS SELECT 1",
    "CREATE OR REPLACE VIEW factors.demo AS SELECT 1",
    "ALTER TABLE bars.demo ADD COLUMN x INTEGER",
    "TRUNCATE bars.demo",
    "CREATE TEMP TABLE t AS SELECT 1",
    "WITH x AS (DELETE FROM bars.demo RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO catalog.meta VALUES ('a', 'b') RETURNING *) SELECT * FROM x",
    "EXPLAIN ANALYZE DELETE FROM bars.demo",
    "EXPLAIN ANALYZE DROP TABLE bars.demo",
    "EXPLAIN ANALYZE COMMIT",
    "SELECT 1; DROP TABLE bars.demo",
    "COMMIT; DROP TABLE bars.demo",
    "ROLLBACK; DELETE FROM bars.demo; COMMIT",
    "COMMIT",
    "BEGIN",
    "CHECKPOINT",
    "VACUUM",
    "SET threads = 1",
    "SET enable_external_access = true",
    "PRAGMA enable_profiling",
    "USE memory",
    "LOAD icu",
    "INSTALL httpfs",
    "ATTACH ':memory:' AS other",
    "ATTACH '{path}' AS other",
    "PREPARE p AS DELETE FROM bars.demo",
    "EXECUTE p",
    "CALL force_checkpoint()",
    "COPY bars.demo TO '{path}'",
    "COPY (SELECT 1) TO '{path}'",
    "WITH x AS (COPY (SELECT 1 AS a) TO '{path}') SELECT * FROM x",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{path}'",
    "EXPORT DATABASE '{path}'",
    "IMPORT DATABASE '{path}'",
    "SELECT * FROM query('DROP TABLE bars.demo')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_parquet('https://example.org/x.parquet')",
    "CREATE MACRO m(x) AS x",
    "CREATE SEQUENCE s",
    "",
    "   ",
    "-- nothing",
    "SELEC 1",
    "SELECT close FROM bars.dmeo",
    "SELECT 1/0 FROM bars.demo WHERE error('boom')",
]


@pytest.mark.parametrize("query", READING)
def test_reads(loaded: Store, query: str) -> None:
    assert loaded.sql(query).height == READING[query]


@pytest.mark.parametrize("query", WRITING)
def test_refuses_everything_else(loaded: Store, query: str, tmp_path: Path) -> None:
    before = loaded.sql("SELECT * FROM bars.demo")
    outside = tmp_path / "outside"
    with pytest.raises(StoreError):
        loaded.sql(query.format(path=outside))
    assert not outside.exists()
    assert loaded.sql("SELECT * FROM bars.demo").equals(before)
    assert loaded.sql("SELECT value FROM catalog.meta WHERE key = 'format'")["value"].to_list() == ["2"]
    assert loaded.load("demo", before).changed is False
    assert {file.name for file in tmp_path.iterdir()} == {"market"}


def test_errors_of_duckdb_are_shown(loaded: Store) -> None:
    with pytest.raises(StoreError, match="dmeo does not exist"):
        loaded.sql("SELECT close FROM bars.dmeo")
    with pytest.raises(StoreError, match="one statement, got 2"):
        loaded.sql("SELECT 1; SELECT 2")
    with pytest.raises(StoreError, match="DROP is refused"):
        loaded.sql("DROP TABLE bars.demo")


def test_parameters(loaded: Store) -> None:
    hostile = "'; DROP TABLE bars.demo; --"
    assert loaded.sql("SELECT ? AS x", [hostile])["x"].to_list() == [hostile]
    assert loaded.sql("SELECT $a AS x, $b::DATE AS y", {"a": 1, "b": "2024-01-02"}).row(0) == (
        1,
        dt.date(2024, 1, 2),
    )
    assert (
        loaded.sql("SELECT count(*) AS n FROM bars.demo WHERE symbol IN (SELECT unnest(?))", [["x"]])["n"].item() == 0
    )


@pytest.mark.parametrize("parameters", [[], [1, 2], {"x": 1}, {}])
def test_parameters_that_do_not_match(loaded: Store, parameters: Any) -> None:
    with pytest.raises(StoreError):
        loaded.sql("SELECT ? AS x", parameters)


@pytest.mark.parametrize("parameters", ["abc", 7, {1, 2}])
def test_parameters_of_the_wrong_kind(loaded: Store, parameters: Any) -> None:
    with pytest.raises(ArgumentError, match="parameters must be a list or a mapping"):
        loaded.sql("SELECT ?", parameters)


def test_python_variables_are_not_tables(loaded: Store) -> None:
    secret = pl.DataFrame({"x": [1]})
    assert secret.height == 1
    with pytest.raises(StoreError, match="secret"):
        loaded.sql("SELECT * FROM secret")


def test_text_only(loaded: Store) -> None:
    with pytest.raises(ArgumentError, match="a query must be text"):
        loaded.sql(b"SELECT 1")  # type: ignore[arg-type]


def test_types_that_polars_lacks(loaded: Store) -> None:
    with pytest.raises(StoreError, match="cast the column"):
        loaded.sql("SELECT INTERVAL 1 DAY AS x")


def test_results_with_equal_names(loaded: Store) -> None:
    assert loaded.sql("SELECT 1 AS a, 2 AS a").row(0) == (1, 2)


def test_sums_of_whole_numbers_are_whole_numbers(loaded: Store) -> None:
    values = "(1, 2.50::DECIMAL(9, 2), 12345678901234567890123), (2, NULL, 1)"
    query = f"SELECT sum(a) AS a, sum(b) AS b, sum(c) AS c, count(*) AS n FROM (VALUES {values}) t(a, b, c)"
    found = loaded.sql(query)
    assert found.row(0) == (3, 2.5, 12345678901234567890124.0, 2)
    assert found.dtypes == [pl.Int64, pl.Float64, pl.Float64, pl.Int64]
    assert json.loads(found.write_json())[0]["a"] == 3


@pytest.mark.parametrize("text", ["show tables", "SHOW TABLES;", " Show  Tables "])
def test_show_tables_shows_all_of_them(loaded: Store, text: str) -> None:
    loaded.compute("demo", x="close")
    names = loaded.sql(text)["name"].to_list()
    assert {"bars.demo", "factors.demo", "scores.demo", "catalog.datasets"} <= set(names)
    for name in names:
        loaded.sql(f"select * from {name}")
