"""`factorloom score`, `models` and `backtest`: scores of dates, the models that gave them, and what they earned."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from factorloom.api.cli.option import OutputOption, StoreOption, split, version_of
from factorloom.expressions.errors import ArgumentError

__all__ = ["backtest", "models", "score"]


def score(
    dataset: str,
    model: Path,
    *,
    date: str | None = None,
    start: str | None = None,
    end: str | None = None,
    dates: str | None = None,
    all_dates: bool = False,
    month_ends: bool = False,
    universe: str | None = None,
    as_of: str | None = None,
    store_option: StoreOption = StoreOption(),
    output_option: OutputOption = OutputOption(),
) -> None:
    """Score the symbols of one date, or of many, with a model, and store the scores.

    Parameters
    ----------
    dataset
        Name in the store.
    model
        Score model as a TOML file.
    date
        Date to score, by default the last.
    start
        First of many dates.
    end
        Last of many dates, included.
    dates
        The dates themselves, separated by commas.
    all_dates
        Score all dates.
    month_ends
        Score the last date of each month, once a date of the next is there.
    universe
        Score and train on its members alone.
    as_of
        A version, or a time in UTC: the dataset as it was known then; its scores are not stored.
    """
    from factorloom.api.verb.scorecard import scorecard
    from factorloom.engine.research.model import ScoreModel

    if (dates is not None) + all_dates + month_ends > 1:
        raise ArgumentError("--dates, --all-dates and --month-ends exclude each other", hint="leave two of them out")
    chosen: Any = split(dates) if dates is not None else "all" if all_dates else "month_end" if month_ends else None
    parsed = ScoreModel.from_toml(model)
    output_option.check()
    with store_option.open() as store:
        scores = store.score(
            *(dataset, parsed),
            date=date,
            start=start,
            end=end,
            dates=chosen,
            universe=universe,
            as_of=version_of(as_of),
        )
    output_option.write(scorecard(scores) if output_option.chosen == "table" else scores)


def models(
    dataset: str,
    name: str | None = None,
    *,
    digest: str | None = None,
    store_option: StoreOption = StoreOption(),
    output_option: OutputOption = OutputOption(),
) -> None:
    """List the models that have scored a dataset, or print one as TOML.

    Parameters
    ----------
    dataset
        Name in the store.
    name
        Model to print, as it was when it last scored.
    digest
        Print the version of the model with this digest.
    """
    from factorloom.api.cli.output import write_bytes

    output_option.check()
    with store_option.open(read_only=True) as store:
        if name is not None:
            write_bytes(store.model(dataset, name, digest).to_toml().encode(), output_option.output)
            return
        found = store.models(dataset)
    output_option.write(found.drop("document") if output_option.chosen == "table" else found)


def backtest(
    dataset: str,
    model: Path,
    *,
    start: str | None = None,
    end: str | None = None,
    rebalance: str = "month_end",
    method: Literal["top", "score", "long_short", "inverse_volatility"] = "top",
    quantiles: int = 5,
    top: int | None = None,
    volatility: str = "ts_std(returns, 60)",
    max_weight: float | None = None,
    groups: str | None = None,
    max_group: float | None = None,
    max_turnover: float | None = None,
    min_holding: int = 0,
    band: float = 0.0,
    costs_bps: float = 0.0,
    entry_lag: int = 1,
    price: str = "close",
    missing: Literal["error", "last", "missing"] = "error",
    universe: str | None = None,
    as_of: str | None = None,
    table: Literal["summary", "returns", "weights", "notes", "attribution", "factors", "groups"] = "summary",
    store_option: StoreOption = StoreOption(),
    output_option: OutputOption = OutputOption(),
) -> None:
    """Score the rebalancing dates with a model, hold what the scores ask for, and say what that earned.

    Parameters
    ----------
    dataset
        Name in the store.
    model
        Score model as a TOML file.
    start
        First date to rebalance on.
    end
        Last date to rebalance on, and to hold.
    rebalance
        month_end, a weekday such as W-FRI, or every date.
    method
        How scores become weights.
    quantiles
        The names of the best of so many quantiles are held.
    top
        Hold so many names instead.
    volatility
        With inverse_volatility: a column or an expression.
    max_weight
        Cap of a name.
    groups
        A column of categories, such as the sector: for caps and attribution.
    max_group
        Cap of a group.
    max_turnover
        Turnover of a date at most; 0.5 buys a whole portfolio from cash.
    min_holding
        Dates for which a name stays at least.
    band
        A weight that would change by less stays as it is.
    costs_bps
        Costs of what is traded, in hundredths of a percent.
    entry_lag
        Market dates from a decision to the trade.
    price
        Column of the prices.
    missing
        What a missing price of a held name is: an error, its last price, or missing: its weight stays in cash.
    universe
        Score and train on its members alone.
    as_of
        A version, or a time in UTC: the dataset as it was known then; its scores are not stored.
    table
        The table to write.
    """
    from factorloom.api.verb.backtest import run_backtest
    from factorloom.engine.research.model import ScoreModel

    parsed = ScoreModel.from_toml(model)
    output_option.check()
    with store_option.open() as store:
        found = run_backtest(
            store,
            dataset,
            parsed,
            start=start,
            end=end,
            rebalance=rebalance,
            bounds={
                "method": method,
                "quantiles": quantiles,
                "top": top,
                "max_weight": max_weight,
                "groups": groups,
                "max_group": max_group,
                "max_turnover": max_turnover,
                "min_holding": min_holding,
                "band": band,
            },
            volatility=volatility,
            holding={"costs_bps": costs_bps, "entry_lag": entry_lag, "price": price, "missing": missing},
            universe=universe,
            as_of=version_of(as_of),
        )
    output_option.write(found.table(table))
