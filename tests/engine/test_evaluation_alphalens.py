"""Evaluations against alphalens-reloaded on real bars, where the definitions are the same; docs/from-alphalens.md.

alphalens gets the rows that have factor and label, and the quantiles that it makes of all rows with a factor: it would
otherwise let labels decide about quantiles. Labels of a date that agree in 12 digits are made equal for it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import factorloom as fl
from factorloom.expressions.operators.loop.tie import tied

pd = pytest.importorskip("pandas")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    performance = pytest.importorskip("alphalens.performance", reason="no alphalens-reloaded to compare with")
    from alphalens import utils as alphalens_utils

pytestmark = pytest.mark.filterwarnings("ignore")

HORIZONS = (1, 5)
COLUMNS = {horizon: f"{horizon}D" for horizon in HORIZONS}
FACTORS = {
    "momentum": fl.close / fl.ts_delay(fl.close, 20) - 1,
    "volume": fl.ts_mean(fl.volume, 5) / fl.ts_mean(fl.volume, 20),
    "volatility": fl.ts_std(fl.returns, 10),
}
START, END = "2016-03-01", "2016-05-13"


@pytest.fixture(scope="module")
def panel(data_folder: Path) -> fl.Panel:
    sectors = pl.read_csv(data_folder / "reference" / "sp500_gics_sectors.csv").select(
        pl.col("Symbol").alias("symbol"), pl.col("GICS Sector").alias("sector")
    )
    bars = pl.read_parquet(data_folder / "prices" / "sp500_2013_2018.parquet").filter(
        pl.col("date").is_between(pl.date(2016, 1, 1), pl.date(2016, 6, 10))
    )
    chosen = bars.join(sectors, on="symbol")
    symbols = chosen["symbol"].unique().sort().gather_every(3)
    return fl.Panel.from_frame(chosen.filter(pl.col("symbol").is_in(symbols.implode())))


@pytest.fixture(scope="module")
def found(panel: fl.Panel) -> fl.Evaluation:
    return fl.evaluate(panel, FACTORS, horizons=HORIZONS, group="sector", start=START, end=END)


@pytest.fixture(scope="module")
def labels(panel: fl.Panel) -> Any:
    from factorloom.engine.research.evaluation.labels import label_values

    made = label_values(panel, panel.compute, HORIZONS, entry_lag=1, price="close", halted="last")
    frame = panel.frame.select("symbol", "date", "sector").to_pandas()
    for place, horizon in enumerate(HORIZONS):
        frame[COLUMNS[horizon]] = made.values[place]
    return frame


def factor_data(panel: fl.Panel, labels: Any, name: str, *, neutral: bool = False) -> Any:
    """What alphalens works on: all rows with a factor cut into quantiles, then those with labels."""
    frame = labels.assign(factor=panel.compute({"f": FACTORS[name]})["f"].to_numpy())
    frame = frame.rename(columns={"symbol": "asset", "sector": "group"})
    frame["date"] = pd.to_datetime(frame["date"])
    frame = frame[(frame["date"] >= START) & (frame["date"] <= END)]
    frame = frame.set_index(["date", "asset"]).sort_index().dropna(subset=["factor", "group"])
    frame["group"] = frame["group"].astype("category")
    frame["factor_quantile"] = alphalens_utils.quantize_factor(frame, 5, by_group=neutral)
    return with_ties(frame.dropna())


def with_ties(data: Any) -> Any:
    for column in COLUMNS.values():
        data[column] = data.groupby(level="date")[column].transform(lambda x: tied(x.to_numpy()))
    return data


def wide(frame: pl.DataFrame, name: str, value: str, *keys: str) -> Any:
    rows = frame.filter(pl.col("factor") == name).to_pandas()
    if "date" in rows:
        rows["date"] = pd.to_datetime(rows["date"])
    return rows.set_index(list(keys))[value]


def agree(ours: Any, theirs: Any, tolerance: float = 1e-9) -> None:
    """On all of their keys, of which there are some."""
    theirs = theirs.dropna()
    assert len(theirs) > 0
    np.testing.assert_allclose(ours.loc[theirs.index].to_numpy(), theirs.to_numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", FACTORS)
def test_rank_ic_in_all_and_in_groups(panel: fl.Panel, found: fl.Evaluation, labels: Any, name: str) -> None:
    data = factor_data(panel, labels, name)
    theirs = performance.factor_information_coefficient(data)
    for horizon in HORIZONS:
        ours = wide(found.ic.filter(pl.col("horizon") == horizon), name, "rank_ic", "date")
        agree(ours, theirs[COLUMNS[horizon]])
    theirs = performance.factor_information_coefficient(data, by_group=True)
    counts = data.groupby(["date", "group"], observed=True)["factor"].count()
    mean = theirs[counts >= 3].groupby("group", observed=True).mean()
    for horizon in HORIZONS:
        ours = wide(found.ic_by_group.filter(pl.col("horizon") == horizon), name, "rank_ic_mean", "group")
        agree(ours, mean[COLUMNS[horizon]])


@pytest.mark.parametrize("name", FACTORS)
def test_returns_of_quantiles_and_their_errors(panel: fl.Panel, found: fl.Evaluation, labels: Any, name: str) -> None:
    data = factor_data(panel, labels, name)
    keys = ("quantile", "date")
    for demeaned in (False, True):
        mean, error = performance.mean_return_by_quantile(data, demeaned=demeaned)
        for horizon in HORIZONS:
            table = found.quantile_returns.filter(pl.col("horizon") == horizon)
            agree(wide(table, name, "excess" if demeaned else "mean", "quantile"), mean[COLUMNS[horizon]])
            if not demeaned:
                agree(wide(table, name, "std_error", "quantile"), error[COLUMNS[horizon]])
    mean, error = performance.mean_return_by_quantile(data, by_date=True, demeaned=False)
    for horizon in HORIZONS:
        table = found.quantile_returns_by_date.filter(pl.col("horizon") == horizon)
        agree(wide(table, name, "mean", *keys), mean[COLUMNS[horizon]])
        agree(wide(table, name, "std_error", *keys), error[COLUMNS[horizon]])


@pytest.mark.parametrize("name", FACTORS)
def test_turnover_and_autocorrelation(panel: fl.Panel, found: fl.Evaluation, labels: Any, name: str) -> None:
    data = factor_data(panel, labels, name)
    for horizon in HORIZONS:
        theirs = performance.factor_rank_autocorrelation(data, horizon)
        ours = wide(found.autocorrelation.filter(pl.col("horizon") == horizon), name, "autocorrelation", "date")
        agree(ours, theirs)
        for quantile in range(1, 6):
            theirs = performance.quantile_turnover(data["factor_quantile"], quantile, horizon)
            table = found.turnover.filter((pl.col("horizon") == horizon) & (pl.col("quantile") == quantile))
            agree(wide(table, name, "turnover", "date"), theirs.iloc[horizon:])


@pytest.mark.parametrize("name", FACTORS)
def test_alpha_and_beta(panel: fl.Panel, found: fl.Evaluation, labels: Any, name: str) -> None:
    data = factor_data(panel, labels, name)
    theirs = performance.factor_alpha_beta(data)
    per_year = found.settings["dates_per_year"]
    for horizon in HORIZONS:
        row = found.alpha_beta.filter((pl.col("horizon") == horizon) & (pl.col("factor") == name)).row(0, named=True)
        column = COLUMNS[horizon]
        a_period = (1 + theirs.loc["Ann. alpha", column]) ** (horizon / 252) - 1
        assert row["beta"] == pytest.approx(theirs.loc["beta", column], rel=1e-9, abs=1e-9)
        assert row["alpha"] == pytest.approx((1 + a_period) ** (per_year / horizon) - 1, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", FACTORS)
def test_neutral_to_groups(panel: fl.Panel, labels: Any, name: str) -> None:
    found = fl.evaluate(
        panel, {name: FACTORS[name]}, horizons=HORIZONS, group="sector", start=START, end=END, neutral=True
    )
    data = factor_data(panel, labels, name, neutral=True)
    theirs = performance.factor_information_coefficient(data, group_adjust=True)
    mean, _ = performance.mean_return_by_quantile(data, by_date=True, group_adjust=True)
    line = performance.factor_alpha_beta(data, group_adjust=True)
    for horizon in HORIZONS:
        column = COLUMNS[horizon]
        agree(wide(found.ic.filter(pl.col("horizon") == horizon), name, "rank_ic", "date"), theirs[column])
        table = found.quantile_returns_by_date.filter(pl.col("horizon") == horizon)
        agree(wide(table, name, "mean", "quantile", "date"), mean[column])
        row = found.alpha_beta.filter(pl.col("horizon") == horizon).row(0, named=True)
        assert row["beta"] == pytest.approx(line.loc["beta", column], rel=1e-9, abs=1e-9)


def test_the_whole_way_with_prices(panel: fl.Panel) -> None:
    """alphalens makes its own labels and quantiles, of names that have a bar on every date, entered at once."""
    count = panel.frame.group_by("symbol").len()
    full = count.filter(pl.col("len") == panel.dates.len())["symbol"]
    bars = panel.frame.filter(pl.col("symbol").is_in(full.implode()))
    complete = fl.Panel.from_frame(bars)
    name = "momentum"
    found = fl.evaluate(complete, {name: FACTORS[name]}, horizons=HORIZONS, entry_lag=0)
    prices = bars.pivot("symbol", index="date", values="close").sort("date").to_pandas().set_index("date")
    prices.index = pd.DatetimeIndex(pd.to_datetime(prices.index))
    values = complete.compute({"f": FACTORS[name]}).drop_nulls()
    factor = values.to_pandas()
    factor["date"] = pd.to_datetime(factor["date"])
    factor = factor.set_index(["date", "symbol"])["f"]
    factor.index.names = ["date", "asset"]
    data = alphalens_utils.get_clean_factor_and_forward_returns(
        factor, prices, periods=HORIZONS, quantiles=5, max_loss=1.0
    )
    data = with_ties(data)
    theirs = performance.factor_information_coefficient(data)
    mean, error = performance.mean_return_by_quantile(data, by_date=True, demeaned=False)
    for horizon in HORIZONS:
        column = COLUMNS[horizon]
        agree(wide(found.ic.filter(pl.col("horizon") == horizon), name, "rank_ic", "date"), theirs[column])
        table = found.quantile_returns_by_date.filter(pl.col("horizon") == horizon)
        agree(wide(table, name, "mean", "quantile", "date"), mean[column])
        agree(wide(table, name, "std_error", "quantile", "date"), error[column])
