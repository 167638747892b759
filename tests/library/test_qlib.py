"""Alpha158 and Alpha360 against Qlib's own output: every feature, every cell, missing ones included.

Twice: on a small simulated market, Qlib's values of which lie beside this file, and on whatever bars
`tests/oracles/qlib_values.py` was run on. The values of the small market were made by

    python -c "from tests.library.test_qlib import simulate; simulate().write_parquet('bars.parquet')"
    python tests/oracles/qlib_values.py bars.parquet oracles
    python -c "from tests.library.test_qlib import fold; fold('oracles')"

Qlib computes on Float32: it stores bars so, and what is done with bars alone is rounded at every step; windows are
Float64. So that nothing but rounding is left to compare, bars are rounded first, and where a rounded step is the
input of a window (a correlation of near-constant values magnifies it a thousandfold) that step is given rounded too.
Then a value is off by two roundings to Float32 at most.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import factorloom as fl

VALUES = Path(__file__).with_name("qlib_values.parquet")
LIBRARIES: dict[str, Callable[[], Mapping[str, fl.Factor]]] = {
    "alpha158": fl.library.alpha158,
    "alpha360": fl.library.alpha360,
}
PRICES = ("open", "high", "low", "close", "vwap")
ROUNDING = 2 * 2.0**-24
LOGARITHM = 1e-5
"""Correlations with a logarithm may be as far off where a processor takes its logarithm in Float32 another way."""

STEPS = {
    "close_change": "close - ts_delay(close, 1)",
    "close_ratio": "close / ts_delay(close, 1)",
    "volume_change": "volume - ts_delay(volume, 1)",
    "log_volume": "log(volume + 1)",
    "log_volume_ratio": "log(volume / ts_delay(volume, 1) + 1)",
    "moved": "abs(close_ratio - 1) * volume",
}
"""What windows are computed on that is not a column."""

VARIES = "(ts_std({x}, {d}, min_samples=2) > 2e-5)"
HIGHEST = "where(is_missing(ts_max(high, {d}, min_samples=1)), missing,"
HIGHEST += " ts_argmax(fill(high, 1e300), {d}, origin='start', min_samples=1))"
LOWEST = "where(is_missing(ts_min(low, {d}, min_samples=1)), missing,"
LOWEST += " ts_argmin(fill(low, -1e300), {d}, origin='start', min_samples=1))"

PECULIAR = {
    "RSQR": f"where({VARIES.format(x='close', d='{d}')}, {{ours}})",
    "CORR": f"where({VARIES.format(x='close', d='{d}')} & {VARIES.format(x='log(volume + 1)', d='{d}')}, {{ours}})",
    "CORD": f"where({VARIES.format(x='close / ts_delay(close, 1)', d='{d}')}"
    f" & {VARIES.format(x='log(volume / ts_delay(volume, 1) + 1)', d='{d}')}, {{ours}})",
    "IMAX": f"({HIGHEST} + 1) / {{d}}",
    "IMIN": f"({LOWEST} + 1) / {{d}}",
    "IMXD": f"({HIGHEST} - {LOWEST}) / {{d}}",
}
"""Where Qlib means something else, and what. A deviation of up to 2e-5, in money, counts as none: a guard against
Qlib's own rounding, which cheap symbols run into. And the highest bar of a window is the first one without a print."""


def simulate() -> pl.DataFrame:
    """A small market with all the dirt: A is halted at one price for a while, B misses prints, has no volume for two
    days, skips a day and has an open and a close of 0, c%26 lists late and is cheap, D has one bar."""
    rng = np.random.Generator(np.random.PCG64(158))
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(74)]
    parts = []
    for symbol, size, tick in (("A", 74, 0.01), ("B", 74, 0.05), ("c%26", 26, 1e-5), ("D", 1, 1.0)):
        close = 500 + np.cumsum(rng.integers(-6, 7, size))
        begin = close + rng.integers(-4, 5, size)
        high = np.maximum(begin, close) + rng.integers(0, 5, size)
        low = np.minimum(begin, close) - rng.integers(0, 5, size)
        prices = (begin, high, low, close, (high + low + 2 * close) / 4)
        columns = {name: ticks * tick for name, ticks in zip(PRICES, prices, strict=True)}
        volume = rng.integers(1, 60, size) * 1000.0
        parts.append(pl.DataFrame({"symbol": [symbol] * size, "date": days[-size:], **columns, "volume": volume}))
    halted, dirty, *others = parts
    halted = halted.with_columns(_put(5.0, name, *range(40, 48)) for name in PRICES)
    dirty = dirty.with_columns(_put(None, name, 45) for name in PRICES)
    dirty = dirty.with_columns(_put(None, "high", 33), _put(None, "low", 33), _put(None, "close", 0, 20))
    dirty = dirty.with_columns(_put(0.0, "volume", 45, 55, 56), _put(0.0, "open", 60), _put(0.0, "close", 65))
    dirty = dirty.with_columns(_put(None, "volume", 50)).filter(pl.int_range(pl.len()) != 30)
    return pl.concat([halted, dirty, *others])


def _put(value: float | None, name: str, *bars: int) -> pl.Expr:
    return pl.when(pl.int_range(pl.len()).is_in(bars)).then(value).otherwise(name).alias(name)


def fold(folder: str) -> None:
    """Keep what Qlib says of the small market, Alpha360 at three distances, as one long and so a small table."""
    frames = {name: pl.read_parquet(Path(folder) / f"{name}.parquet") for name in LIBRARIES}
    frames["alpha360"] = frames["alpha360"].select("symbol", "date", pl.selectors.matches(r"\D(0|1|59)$"))
    parts = [frame.unpivot(index=["symbol", "date"], variable_name="feature") for frame in frames.values()]
    table = pl.concat(
        [part.insert_column(0, pl.lit(name).alias("library")) for name, part in zip(frames, parts, strict=True)]
    )
    table.write_parquet(VALUES, compression="zstd", compression_level=22, statistics=False)


def read_small(library: str) -> pl.DataFrame:
    """Qlib's values of the small market, one column per feature."""
    table = pl.read_parquet(VALUES).filter(library=library)
    return table.pivot("feature", index=["symbol", "date"], values="value", maintain_order=True)


def round_steps(bars: pl.DataFrame) -> fl.Panel:
    """Bars and steps as Qlib has them, in Float32."""
    fields = [pl.col(name).cast(pl.Float32) for name in (*PRICES, "volume")]
    bars = bars.select("symbol", "date", *fields).sort("symbol", "date")
    before = bars.select(pl.col("close", "volume").shift(1).over("symbol"))
    close, volume, last_close, last_volume = (
        frame[name].fill_null(float("nan")).to_numpy() for frame in (bars, before) for name in ("close", "volume")
    )
    one = np.float32(1)
    with np.errstate(all="ignore"):
        steps = {
            "close_change": close - last_close,
            "close_ratio": close / last_close,
            "volume_change": volume - last_volume,
            "log_volume": np.log(volume + one),
            "log_volume_ratio": np.log(volume / last_volume + one),
            "moved": np.abs(close / last_close - one) * volume,
        }
    assert all(values.dtype == np.float32 for values in steps.values())
    bars = bars.with_columns(pl.Series(name, np.where(np.isfinite(x), x, np.nan)) for name, x in steps.items())
    return fl.Panel.from_frame(bars.with_columns(pl.selectors.float().cast(pl.Float64)))


def use_steps(factor: fl.Factor) -> fl.Factor:
    steps = {fl.parse(text): fl.col(name) for name, text in STEPS.items()}
    return factor.rebuild(steps.get)


def as_qlib_means(name: str, factor: fl.Factor) -> fl.Factor:
    """The feature with Qlib's peculiarity, if it has one."""
    found = re.fullmatch(r"([A-Z]+)(\d+)", name)
    if not found or found[1] not in PECULIAR:
        return factor
    return fl.parse(PECULIAR[found[1]].format(d=found[2], ours=factor))


def count_differences(
    panel: fl.Panel, factors: Mapping[str, fl.Factor], expected: pl.DataFrame, logarithm: float = 0.0
) -> dict[str, int]:
    """How many cells are not as Qlib has them, of every feature with such cells; an infinity of Qlib's is missing."""
    values = panel.compute({name: use_steps(factor) for name, factor in factors.items()})
    assert values.select("symbol", "date").equals(expected.select("symbol", "date")), "not the bars Qlib was given"
    counts = {}
    for name in factors:
        more = logarithm if name.startswith(("CORR", "CORD")) else 0.0
        counts[name] = int(_differs(_array(values[name]), _array(expected[name]), more).sum())
    return {name: count for name, count in counts.items() if count}


def _array(values: pl.Series) -> npt.NDArray[np.float64]:
    array = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(array), array, np.nan)


def _differs(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], more: float) -> npt.NDArray[np.bool_]:
    missing = np.isnan(ours), np.isnan(theirs)
    return (missing[0] != missing[1]) | (np.abs(ours - theirs) > ROUNDING * np.abs(theirs) + 1e-12 + more)


@pytest.fixture(scope="module")
def market() -> fl.Panel:
    return round_steps(simulate())


@pytest.mark.parametrize("library", LIBRARIES)
def test_features_on_a_small_market_are_qlibs(library: str, market: fl.Panel) -> None:
    expected = read_small(library)
    factors = {name: as_qlib_means(name, factor) for name, factor in LIBRARIES[library]().items()}
    kept = {name: factors[name] for name in expected.columns[2:]}
    assert len(kept) == {"alpha158": 158, "alpha360": 18}[library]
    assert count_differences(market, kept, expected, LOGARITHM) == {}


def test_only_what_is_written_down_differs_from_qlib(market: fl.Panel) -> None:
    """How many cells of the small market each peculiarity of Qlib changes."""
    counts = count_differences(market, fl.library.alpha158(), read_small("alpha158"), LOGARITHM)
    highest = {5: 10, 10: 20, 20: 32, 30: 41, 60: 41}
    assert counts == {
        "RSQR5": 2,
        "CORR5": 2,
        **{f"{name}{d}": count for name in ("IMAX", "IMIN") for d, count in highest.items()},
        **{f"IMXD{d}": count for d, count in (highest | {5: 8}).items()},
    }


@pytest.mark.parametrize("library", LIBRARIES)
def test_features_on_real_bars_are_qlibs(library: str, data_folder: Path) -> None:
    """Without the peculiarities: on bars of large companies there is nothing that they change."""
    path = Path(os.environ.get("FACTORLOOM_ORACLES", "")) / f"{library}.parquet"
    if not path.is_file():
        pytest.skip(
            "no values of Qlib: run tests/oracles/qlib_values.py on nifty50_2015_2021.parquet, and set"
            " FACTORLOOM_ORACLES to its folder"
        )
    panel = round_steps(pl.read_parquet(data_folder / "prices" / "nifty50_2015_2021.parquet"))
    expected = pl.read_parquet(path)
    factors = LIBRARIES[library]()
    assert list(factors) == expected.columns[2:]
    assert count_differences(panel, factors, expected) == {}
