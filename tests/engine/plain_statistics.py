"""Statistics of factors by their definitions: pandas, scipy and loops over names, and nothing of the engine."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import strategies as st
from scipy import stats

FIRST = datetime.date(2023, 12, 27)
Halted = str | float


@st.composite
def bars(draw: st.DrawFn, *, symbols: int = 7, dates: int = 9) -> pl.DataFrame:
    """Bars with gaps, prices that are missing or not positive, factors with ties and gaps, groups and weights."""
    names = [chr(ord("A") + place) for place in range(draw(st.integers(1, symbols)))]
    days = [FIRST + datetime.timedelta(place + 3 * (place // 5)) for place in range(draw(st.integers(1, dates)))]
    keys = [(name, day) for name in names for day in days]
    kept = draw(st.lists(st.sampled_from(keys), min_size=1, unique=True)) if draw(st.booleans()) else keys
    rows = len(kept)

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    price = st.one_of(st.none(), st.sampled_from([-1.0, 0.0]), *[st.sampled_from([8.0, 9.0, 10.0, 12.5, 20.0])] * 8)
    return pl.DataFrame(
        {
            "symbol": [name for name, _ in kept],
            "date": [day for _, day in kept],
            "close": column(price),
            "x": column(st.one_of(st.none(), st.integers(-2, 2), st.integers(-50, 50))),
            "y": column(st.one_of(st.none(), st.integers(0, 3))),
            "weight": column(st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.0, 5.0]))),
            "inside": column(st.sampled_from([0.0, 1.0, 1.0, 1.0, None])),
            "sector": column(st.sampled_from(["tech", "bank", "bank", None])),
        },
        schema_overrides=dict.fromkeys(("close", "x", "y", "weight", "inside"), pl.Float64) | {"sector": pl.String},
    ).sort("symbol", "date")


def plain_labels(frame: pl.DataFrame, horizon: int, entry_lag: int, halted: Halted) -> dict[tuple[str, Any], float]:
    """The label of every bar that has one."""
    market = sorted(set(frame["date"]))
    price = {
        (symbol, day): close
        for symbol, day, close in frame.select("symbol", "date", "close").iter_rows()
        if close is not None and close > 0
    }
    labels = {}
    for symbol, day in frame.select("symbol", "date").iter_rows():
        entry = market.index(day) + entry_lag
        leave = entry + horizon
        if leave >= len(market) or (symbol, market[entry]) not in price:
            continue
        paid = price[symbol, market[entry]]
        if (symbol, market[leave]) in price:
            labels[symbol, day] = price[symbol, market[leave]] / paid - 1
        elif halted == "last":
            last = [price[symbol, each] for each in market[entry : leave + 1] if (symbol, each) in price][-1]
            labels[symbol, day] = last / paid - 1
        elif halted != "missing":
            labels[symbol, day] = float(halted)
    return labels


def plain_quantiles(values: Mapping[str, float], quantiles: int) -> dict[str, int]:
    """1 plus the inner edges below each value, with edges in exact arithmetic."""
    ordered = sorted(Fraction(value) for value in values.values())
    edges = []
    for edge in range(1, quantiles if ordered else 1):
        place = Fraction(edge * (len(ordered) - 1), quantiles)
        low = math.floor(place)
        high = min(low + 1, len(ordered) - 1)
        edges.append(ordered[low] + (ordered[high] - ordered[low]) * (place - low))
    return {name: 1 + sum(Fraction(value) > edge for edge in edges) for name, value in values.items()}


def plain_ic(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Pearson's and Spearman's correlation."""
    if len(x) < 3 or len(set(x)) < 2 or len(set(y)) < 2:
        return math.nan, math.nan
    return float(stats.pearsonr(x, y)[0]), float(stats.spearmanr(x, y)[0])


class Plain:
    """Everything about one factor at one horizon, date by date."""

    def __init__(
        self,
        frame: pl.DataFrame,
        factor: str,
        horizon: int,
        *,
        quantiles: int,
        entry_lag: int = 1,
        halted: Halted = "last",
        group: str | None = None,
        universe: str | None = None,
        weights: str | None = None,
        neutral: bool = False,
        start: Any = None,
        end: Any = None,
    ) -> None:
        self.horizon, self.quantiles, self.group = horizon, quantiles, group
        self.market = sorted(set(frame["date"]))
        self.dates = [day for day in self.market if (start is None or day >= start) and (end is None or day <= end)]
        labels = plain_labels(frame, horizon, entry_lag, halted)
        table = frame.to_pandas()
        table["label"] = [
            labels.get((row.symbol, day)) for row, day in zip(table.itertuples(), frame["date"], strict=True)
        ]
        table["day"] = frame["date"].to_list()
        table["factor"] = table[factor].astype(float)
        table["label"] = table["label"].astype(float)
        inside = np.ones(len(table), bool) if universe is None else (table[universe].fillna(0) != 0).to_numpy()
        grouped = np.ones(len(table), bool) if group is None else table[group].notna().to_numpy()
        dated = table["day"].isin(self.dates).to_numpy()
        self.rows = {
            "input": len(table),
            "outside dates": int((~dated).sum()),
            "outside universe": int((dated & ~inside).sum()),
            "no group": int((dated & inside & ~grouped).sum()),
        }
        table = table[dated & inside & grouped]
        self.by_day = {day: table[table["day"] == day].set_index("symbol") for day in self.dates}
        self.present = {day: rows[rows["factor"].notna()] for day, rows in self.by_day.items()}
        self.quantile = {day: self._quantiles(rows, group if neutral else None) for day, rows in self.present.items()}
        self.both = {day: rows[rows["label"].notna()].copy() for day, rows in self.present.items()}
        self.raw = {day: rows["label"].copy() for day, rows in self.both.items()}
        if neutral:
            for rows in self.both.values():
                rows["label"] = rows["label"] - rows.groupby(group)["label"].transform("mean")
        self.neutral, self.weights = neutral, weights

    def _quantiles(self, rows: pd.DataFrame, group: str | None) -> dict[str, int]:
        parts = [rows] if group is None else [part for _, part in rows.groupby(group)]
        return {
            name: q for part in parts for name, q in plain_quantiles(part["factor"].to_dict(), self.quantiles).items()
        }

    def ic(self, day: Any) -> tuple[float, float, int]:
        rows = self.both[day]
        return (*plain_ic(rows["factor"].tolist(), _rounded(rows["label"])), len(rows))

    def group_ic(self, day: Any, group: str) -> tuple[float, float, int]:
        rows = self.both[day]
        rows = rows[rows[self.group] == group]
        return (*plain_ic(rows["factor"].tolist(), _rounded(rows["label"])), len(rows))

    def weight(self, day: Any, name: str) -> float:
        if self.weights is None:
            return 1.0
        value = self.by_day[day].loc[name, self.weights]
        return float(value) if value > 0 else 0.0

    def members(self, day: Any, quantile: int) -> list[str]:
        return [name for name, q in self.quantile[day].items() if q == quantile]

    def quantile_mean(self, day: Any, quantile: int) -> tuple[float, int]:
        names = [name for name in self.members(day, quantile) if name in self.both[day].index]
        weights = [self.weight(day, name) for name in names]
        if not sum(weights):
            return math.nan, len(names)
        return float(np.average(self.both[day].loc[names, "label"], weights=weights)), len(names)

    def quantile_error(self, day: Any, quantile: int) -> float:
        names = [name for name in self.members(day, quantile) if name in self.both[day].index]
        return float(self.both[day].loc[names, "label"].sem()) if len(names) > 1 else math.nan

    def universe(self, day: Any) -> float:
        """The mean return of all names, which is 0 where returns are less the mean of their group."""
        return 0.0 if self.neutral else float(self.raw[day].mean())

    def before(self, day: Any) -> Any:
        place = self.dates.index(day) - self.horizon
        return self.dates[place] if place >= 0 else None

    def turnover(self, day: Any, quantile: int) -> float:
        now, then = set(self.members(day, quantile)), self.before(day)
        if then is None or not now:
            return math.nan
        return len(now - set(self.members(then, quantile))) / len(now)

    def autocorrelation(self, day: Any) -> float:
        then = self.before(day)
        if then is None:
            return math.nan
        now, old = (self.present[each]["factor"].rank() for each in (day, then))
        names = [name for name in now.index if name in old.index]
        if len(names) < 3 or now[names].nunique() < 2 or old[names].nunique() < 2:
            return math.nan
        return float(stats.pearsonr(now[names], old[names])[0])

    def portfolio(self, day: Any) -> float:
        """Return of weights in proportion to the factor less its mean, in each group where neutral."""
        rows = self.both[day]
        parts = [part for _, part in rows.groupby(self.group)] if self.neutral else [rows]
        found = []
        for part in parts:
            away = part["factor"] - part["factor"].mean()
            if part["factor"].nunique() > 1:
                found.append(float((away / away.abs().sum() * part["label"]).sum()))
        return sum(found) / len(found) if found else math.nan

    def traded(self, day: Any) -> float:
        """Sum of the absolute changes of both legs' weights since the horizon before."""
        total = 0.0
        for quantile in (1, self.quantiles):
            now, old = self._shares(day, quantile), self._shares(self.before(day), quantile)
            total += sum(abs(now.get(name, 0.0) - old.get(name, 0.0)) for name in {*now, *old})
        return total

    def _shares(self, day: Any, quantile: int) -> dict[str, float]:
        names = [] if day is None else self.members(day, quantile)
        total = sum(self.weight(day, name) for name in names)
        return {name: self.weight(day, name) / total for name in names} if total else {}


def _rounded(labels: pd.Series) -> list[float]:
    """Labels that tie: less a mean, equal ones differ in their last digits."""
    return [round(value, 13) for value in labels.tolist()]
