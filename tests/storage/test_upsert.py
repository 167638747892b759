"""Merging rows, compared with a dictionary."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factorloom.expressions.errors import BarsError
from factorloom.storage.upsert import upsert

KEYS = ["symbol", "day"]
Rows = dict[tuple[str, int], dict[str, float | None]]

keys = st.tuples(st.sampled_from("ABC"), st.integers(1, 3))
values = st.none() | st.floats(allow_nan=False, width=16)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], Rows]:
    """Some columns, and their values by key."""
    columns = draw(st.lists(st.sampled_from(["close", "volume", "pe", "x y"]), min_size=1, unique=True))
    row = st.fixed_dictionaries(dict.fromkeys(columns, values))
    return columns, draw(st.dictionaries(keys, row, min_size=1))


def frame(columns: list[str], rows: Rows) -> pl.DataFrame:
    schema: dict[str, Any] = {"symbol": pl.String, "day": pl.Int64, **dict.fromkeys(columns, pl.Float64)}
    return pl.DataFrame([{"symbol": s, "day": d, **row} for (s, d), row in rows.items()], schema=schema)


@given(tables(), tables())
def test_agrees_with_a_dictionary(old: tuple[list[str], Rows], new: tuple[list[str], Rows]) -> None:
    columns = list(dict.fromkeys(old[0] + new[0]))
    expected = {key: {**dict.fromkeys(columns), **row} for key, row in old[1].items()}
    before = dict(expected)
    for key, row in new[1].items():
        expected[key] = {**expected.get(key, dict.fromkeys(columns)), **row}

    result = upsert(frame(*old).sort(KEYS), frame(*new), KEYS)

    assert result.frame.columns == [*KEYS, *columns]
    assert [(s, d) for s, d, *_ in result.frame.iter_rows()] == sorted(expected)
    assert {(s, d): dict(zip(columns, row, strict=True)) for s, d, *row in result.frame.iter_rows()} == expected
    assert result.inserted == len(set(new[1]) - set(old[1]))
    assert result.updated == sum(expected[key] != before[key] for key in new[1] if key in before)
    assert result.inserted + result.updated + result.unchanged == len(new[1])
    assert result.changed == (expected != before or len(columns) > len(old[0]))


@given(tables())
def test_merging_the_same_rows_again_changes_nothing(table: tuple[list[str], Rows]) -> None:
    stored = upsert(None, frame(*table), KEYS)
    assert stored.changed
    again = upsert(stored.frame, frame(*table), KEYS)
    assert not again.changed
    assert again.unchanged == stored.inserted == len(table[1])
    assert again.frame.equals(stored.frame)


def test_another_case_is_refused() -> None:
    old, new = frame(["pe"], {("A", 1): {"pe": 1.0}}), frame(["PE"], {("A", 1): {"PE": 1.0}})
    with pytest.raises(BarsError, match="'PE' is stored as 'pe'"):
        upsert(old, new, KEYS)
