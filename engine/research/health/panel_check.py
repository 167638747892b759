"""Health checks that need facts of the panel. Each gives the findings of one question, its thresholds beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import polars as pl

from factorloom.engine.research.health.facts import PanelFacts
from factorloom.engine.research.health.finding import Finding, HealthInputs, Level, graded

__all__ = [
    "entry",
    "halted_exits",
    "knows_a_return",
    "low_prices",
    "one_step",
    "price_jumps",
    "stale_prices",
    "survivorship",
]

LEAK, SURE = 0.1, 5.0
"""A mean rank IC with the return of one single day: one-day reversal, the strongest known, reaches 0.03 to 0.05."""
ALWAYS = 10
"""So many dates with one and the same rank IC, as a perfect leak has, are sure too: they have no standard error."""


def knows_a_return(inputs: HealthInputs) -> Iterator[Finding]:
    """Look-ahead: a mean rank IC of 0.1 or more, five standard errors from zero, with the return of one later date."""
    later = _facts(inputs).steps.filter(pl.col("step") >= 1)
    is_sure = pl.col("rank_ic_t").abs() >= SURE
    always = pl.col("rank_ic_t").is_null() & (pl.col("dates") >= ALWAYS)
    leaks = later.filter((pl.col("rank_ic_mean").abs() >= LEAK) & (is_sure | always))
    for factor, step, figure in leaks.select("factor", "step", "rank_ic_mean").iter_rows():
        text = (
            f"{factor}: a rank IC of {figure:.2f} with the return from {step - 1} to {step} dates after its own date:"
            " it knows the future; look for shifts, back-filled data and values dated before they were published"
        )
        yield Finding(name="knows_a_return", level="fault", text=text, figure=figure, factor=factor)


STEP, STEP_SURE, AFTER = 0.05, 4.0, 0.2
"""Information that is worth 0.05 on one date and a fifth of that on the next two: honest news fades more slowly."""


def one_step(inputs: HealthInputs) -> Iterator[Finding]:
    """The IC breaks off: at least 0.05 with the return of one date, less than a fifth of it with the next two."""
    for (factor,), part in _facts(inputs).steps.filter(pl.col("step") >= 1).group_by("factor", maintain_order=True):
        sure = pl.when(pl.col("dates") >= ALWAYS).then(pl.col("rank_ic_t").fill_null(math.inf)).otherwise("rank_ic_t")
        ics, ts, steps = part.select("rank_ic_mean", sure.alias("t"), "step").get_columns()
        for place in range(len(steps) - 2):
            this, after = ics[place], ics[place + 1 : place + 3]
            if None in (this, ts[place], *after) or abs(this) < STEP or abs(ts[place]) < STEP_SURE:
                continue
            if sum(after) / 2 * math.copysign(1, this) < AFTER * abs(this):
                text = (
                    f"{factor}: a rank IC of {this:.2f} with the return of date +{steps[place]}, and"
                    f" {sum(after) / 2:.2f} with the next two: it breaks off, as leaks and stale entry prices do"
                )
                yield Finding(name="one_step", level="warning", text=text, figure=this, factor=str(factor))
                break


def entry(inputs: HealthInputs) -> Iterator[Finding]:
    """`entry_lag=0`: bought at the price that the factor is computed from."""
    if inputs.settings.get("entry_lag", 1) == 0:
        text = "entry_lag=0 buys at the prices that factors are computed from; bounces of these prices count as returns"
        yield Finding(name="entry", level="warning", text=text, figure=0.0)


LEAVING, ENOUGH = 0.02, 5.0
"""In a year at least 2% of listed companies or index members leave (about 4% of the S&P 500, more elsewhere). Where
five or more should have left, the chance that none has is below exp(-5) = 0.7%."""


def survivorship(inputs: HealthInputs) -> Iterator[Finding]:
    """No symbol ever leaves, or fewer than a quarter of those that should: the universe is that of the last day."""
    facts = _facts(inputs)
    expected = LEAVING * facts.symbol_years
    if expected >= ENOUGH and facts.left < expected / 4:
        text = (
            f"{facts.left or 'none'} of {facts.symbols} symbols leave in {facts.symbol_years:,.0f} years of bars;"
            f" {expected:.0f} or more should: those that failed are not here, which flatters risky factors;"
            " use dated membership and delisted symbols"
        )
        level: Level = "warning" if facts.left else "fault"
        yield Finding(name="survivorship", level=level, text=text, figure=float(facts.left))


STALE_WARNING, STALE_FAULT = 0.05, 0.2
"""Liquid shares close unchanged on 1 to 2% of days, by the size of a tick; more is stale or filled forward."""


def stale_prices(inputs: HealthInputs) -> Iterator[Finding]:
    """Prices equal to the symbol's previous one: a warning above 5% of bars, a fault above 20%."""
    facts = _facts(inputs)
    if facts.unchanged > STALE_WARNING:
        text = (
            f"{facts.unchanged:.0%} of prices are the symbol's previous one ({facts.stale_symbols} symbols with more"
            " than 20%): filled forward or not traded; no one could trade at them"
        )
        level = graded(facts.unchanged, STALE_FAULT)
        yield Finding(name="stale_prices", level=level, text=text, figure=facts.unchanged)


def price_jumps(inputs: HealthInputs) -> Iterator[Finding]:
    """Prices more than 50% away from the symbol's previous one: splits and spin-offs that are not adjusted look so."""
    jumps = _facts(inputs).jumps
    if jumps:
        text = (
            f"{jumps} {'price is' if jumps == 1 else 'prices are'} more than 50% away from the symbol's previous one;"
            " see whether splits, bonus shares and spin-offs are adjusted: otherwise they are returns here"
        )
        yield Finding(name="price_jumps", level="warning", text=text, figure=float(jumps))


PENNY_T, KEPT = 2.0, 0.5


def low_prices(inputs: HealthInputs) -> Iterator[Finding]:
    """The spread between the outer quantiles, two standard errors from zero, halves without low-priced symbols."""
    table = _facts(inputs).low_prices.filter(pl.col("spread_t").abs() >= PENNY_T)
    kept = pl.col("spread_without") / pl.col("spread")
    found = table.with_columns(kept=kept).filter(pl.col("kept") < KEPT)
    for row in found.iter_rows(named=True):
        text = (
            f"{row['factor']} at horizon {row['horizon']}: without symbols priced below 5 or in the lowest tenth"
            f" ({row['low']:.0%} of the outer quantiles) the spread falls from {row['spread']:.2%} to"
            f" {row['spread_without']:.2%} on the sampled dates: ticks and bounces, not returns that one can earn"
        )
        named = {"factor": row["factor"], "horizon": row["horizon"]}
        yield Finding(name="low_prices", level="warning", text=text, figure=row["kept"], **named)


HALTED_WARNING, HALTED_FAULT = 0.02, 0.1


def halted_exits(inputs: HealthInputs) -> Iterator[Finding]:
    """Labels whose symbol has no price on the exit date: a warning above 2%, a fault above 10%."""
    for horizon, share in _facts(inputs).halted.select("horizon", "halted").drop_nulls().iter_rows():
        if share > HALTED_WARNING:
            text = (
                f"at horizon {horizon}, {share:.0%} of positions have no price to leave at; what they return is the"
                " choice of halted=, not of the market: evaluate with another choice too"
            )
            level = graded(share, HALTED_FAULT)
            yield Finding(name="halted_exits", level=level, text=text, figure=share, horizon=horizon)


def _facts(inputs: HealthInputs) -> PanelFacts:
    return inputs.facts or PanelFacts()
