"""What holds for every library: no look-ahead, no infinity, nothing dropped in silence, and all of them at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

import factorloom as fl
from factorloom.engine.executor.native.interpreter import interpret
from factorloom.engine.plan.request import make_request
from factorloom.engine.runtime.observer import Observer
from factorloom.expressions.errors import UnknownColumnError, UnknownFactorError, WindowError
from factorloom.expressions.library import LIBRARIES, Library
from factorloom.expressions.parse import parse
from tests.oracle import assert_same_bits

every_library = pytest.mark.parametrize("make", LIBRARIES.values(), ids=list(LIBRARIES))
RARE = {"alpha096"}
"""Factors that hardly ever have a value: this one needs 37 windows of 3 bars, one after another, of changing ranks."""
Make = Callable[[], Library]


def check_values(values: pl.DataFrame, library: Library) -> None:
    """Every value is a finite number or missing."""
    assert values.columns[2:] == list(library)
    wrong = values.select(pl.col(pl.Float64).is_nan().any() | pl.col(pl.Float64).is_infinite().any())
    assert [name for name, found in wrong.row(0, named=True).items() if found] == []


@every_library
def test_nothing_looks_ahead_and_all_can_be_written(make: Make) -> None:
    for name, factor in make().items():
        assert factor.lookahead == 0, name
        assert parse(str(factor)) is factor, name


@every_library
def test_a_library_is_an_ordered_mapping_of_factors(make: Make) -> None:
    library, again = make(), make()
    assert list(library) == list(again) == list(library.entries)
    assert all(factor is again[name] for name, factor in library.items())
    assert library.select("*").keys() == library.keys()
    assert repr(library) == f"<Library {library.name}: {len(library)} factors>"
    assert library.name in LIBRARIES and library.title and library.source and library.about


DIGESTS = {
    "alpha101": "2a988508cdcae89c",
    "alpha158": "3f1e66d96fff5690",
    "alpha360": "33afa1ff524a0fe8",
    "gtja191": "0da16c5f8b15f128",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_the_digests_of_published_sets_never_change(name: str) -> None:
    """They are the keys of what users have cached: an operator whose values change gets another `version`."""
    digests = "".join(factor.digest for factor in LIBRARIES[name]().values())
    assert hashlib.blake2b(digests.encode(), digest_size=8).hexdigest() == DIGESTS[name]


def test_one_name_is_one_factor_in_all_libraries() -> None:
    known: dict[str, fl.Factor] = {}
    for make in LIBRARIES.values():
        assert all(known.setdefault(name, factor) is factor for name, factor in make().items())


@every_library
def test_a_column_by_another_name_is_read_everywhere(make: Make) -> None:
    library = make()
    names = {column: f"my {column}" for column in library.columns}
    renamed = library.rename_columns(names)
    assert set(renamed.columns) == set(names.values())
    assert all(factor.lookback == library[name].lookback for name, factor in renamed.items())
    back = renamed.rename_columns({new: old for old, new in names.items()})
    assert all(factor is library[name] for name, factor in back.items())


def test_what_is_asked_for_must_be_there() -> None:
    library = fl.library.styles()
    assert list(library.select("size", "reversal_5d")) == ["reversal_5d", "size"]
    with pytest.raises(UnknownFactorError, match=r"(?s)styles has no factor 'sice'.*did you mean 'size'"):
        library.select("sice")
    with pytest.raises(UnknownFactorError, match="styles has no factor 'sice'"):
        library["sice"]
    with pytest.raises(UnknownColumnError, match=r"(?s)reads a column 'clsoe'.*did you mean 'close'"):
        library.rename_columns({"clsoe": "price"})
    with pytest.raises(WindowError, match="min_samples must be None or from 1 to 5, got 6"):
        fl.library.alpha158(min_samples=6)


def test_factors_that_lack_columns_are_told_and_not_dropped() -> None:
    library, panel = fl.library.styles(), fl.example()
    lacking = library.lacking(panel.columns)
    assert lacking["turnover"] == ("market_cap",)
    assert library.available(panel.columns).keys() == library.keys() - lacking.keys()
    told = rf"{len(lacking)} of {len(library)} factors need .*turnover \(market_cap\).*and {len(lacking) - 10} more"
    with pytest.raises(UnknownColumnError, match=told):
        panel.compute(library)


def test_full_windows_need_all_their_values() -> None:
    some, full = fl.library.alpha158(), fl.library.alpha158(min_samples=None)
    panel = fl.Panel.from_frame(fl.example().frame.with_columns(vwap="close"))
    first = panel.compute({"some": some["MA5"], "full": full["MA5"]})
    assert first["some"].null_count() == 0 and first["full"].null_count() == first.height
    assert all("min_samples" not in str(factor) for factor in full.values())


@every_library
def test_dirt_gives_no_warning_no_infinity_and_no_nan(make: Make, dirty_bars: pl.DataFrame) -> None:
    library = make()
    values = fl.Panel.from_frame(dirty_bars).compute(library)
    check_values(values, library)


@every_library
def test_ragged_bars_give_values_for_every_factor(make: Make, plain_bars: pl.DataFrame) -> None:
    library = make()
    values = fl.Panel.from_frame(plain_bars).compute(library)
    check_values(values, library)
    assert [name for name in library if values[name].null_count() == values.height and name not in RARE] == []


@every_library
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_hardly_any_bars_are_no_error(make: Make, rows: int, plain_bars: pl.DataFrame) -> None:
    library = make()
    values = fl.Panel.from_frame(plain_bars.head(rows)).compute(library)
    assert values.shape == (rows, len(library) + 2)
    check_values(values, library)


# --- real bars ----------------------------------------------------------------------------------------------


@every_library
def test_later_bars_change_nothing_on_real_bars(make: Make, sp500: pl.DataFrame) -> None:
    """What is computed from the bars up to a date is what the whole file gives for them."""
    library = make()
    symbols = sp500["symbol"].unique().sort().gather_every(4)
    bars = sp500.filter(pl.col("symbol").is_in(symbols.implode()))
    cut = bars["date"].unique().sort()[1000]
    whole = fl.Panel.from_frame(bars).compute(library)
    check_values(whole, library)
    early = whole.filter(pl.col("date") <= cut)
    part = fl.Panel.from_frame(bars.filter(pl.col("date") <= cut)).compute(library)
    for name in library:
        a, b = (frame[name].to_numpy() for frame in (early, part))
        assert (np.isnan(a) == np.isnan(b)).all(), name
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.nanmax(np.abs(a), initial=0), err_msg=name)


def test_all_libraries_at_once_on_real_bars_share_their_work(sp500: pl.DataFrame) -> None:
    together = {name: factor for make in LIBRARIES.values() for name, factor in make().items()}
    symbols = sp500["symbol"].unique().sort().gather_every(3, 1)
    panel = fl.Panel.from_frame(sp500.filter(pl.col("symbol").is_in(symbols.implode())))
    assert panel.rows > 200_000
    told = panel.explain(together).splitlines()[0]
    counted = re.match(r"([\d,]+) factors, ([\d,]+) operations \(([\d,]+) shared\)", told)
    assert counted
    factors, operations, shared = (int(number.replace(",", "")) for number in counted.groups())
    assert factors == len(together) > 600
    assert shared > operations / 2, told
    for block in panel.blocks(together):
        for name in together:
            column = block[name]
            assert not column.is_nan().any() and not column.is_infinite().any(), name


def test_interpreted_kernels_give_the_same_bits(sp500: pl.DataFrame) -> None:
    symbols, first = sp500["symbol"].unique().sort()[::100], sp500["date"].unique().sort()[-90]
    panel = fl.Panel.from_frame(sp500.filter(pl.col("symbol").is_in(symbols.implode()), pl.col("date") >= first))
    factors = {f"{name}_{key}": factor for name in LIBRARIES for key, factor in LIBRARIES[name]().items()}
    wanted = {name: factor for name, factor in factors.items() if set(factor.columns) <= set(panel.columns)}
    assert len(wanted) > 500
    block = interpret(make_request(panel, wanted, (), {}), panel, Observer(), 600.0)
    assert block is not None
    assert_same_bits(pl.DataFrame(block.values), panel.compute(wanted))
