"""Health checks that read only the tables of an evaluation. Each gives the findings of one question.

A threshold stands beside the check that uses it, with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from factorloom.engine.research.health.finding import KEYS, Finding, HealthInputs, Level, by_date, graded
from factorloom.engine.research.inference import newey_west
from factorloom.engine.research.series import FEWEST

__all__ = [
    "constant_dates",
    "few_names",
    "one_date",
    "one_group",
    "one_year",
    "overlap",
    "rows_dropped",
    "same_factor",
    "short_history",
    "thin_coverage",
    "too_good",
    "uneven_quantiles",
]

SIGNIFICANT = 1.96

TOO_GOOD, SURE = 0.2, 4.0
"""Published factors have rank ICs of 0.02 to 0.1: 0.2 on average, four errors from zero, is a leak until explained."""
USUAL_SPREAD = 0.15
"""Least standard deviation of a rank IC over dates: a few dates can agree by luck."""


def too_good(inputs: HealthInputs) -> Iterator[Finding]:
    """Look-ahead: a mean rank IC of at least 0.2, four standard errors from zero with dates / horizon observations."""
    for factor, horizon, values in inputs.rank_ics.columns():
        mean, spread = (float(np.mean(values)), float(np.std(values))) if len(values) else (0.0, 0.0)
        error = max(spread, USUAL_SPREAD) / np.sqrt(max(len(values) / horizon, 1))
        if abs(mean) >= max(TOO_GOOD, SURE * error):
            text = (
                f"{_of(factor, horizon)}: a mean rank IC of {mean:.2f} is beyond what honest factors reach (0.2);"
                " see whether all inputs of the factor were known on its date"
            )
            yield _finding("too_good", "fault", text, mean, factor, horizon)


def overlap(inputs: HealthInputs) -> Iterator[Finding]:
    """Overlapping horizons taken as independent: significant by the plain t, not by that of Newey and West."""
    plain_t, honest_t = newey_west(inputs.rank_ics.values, 0).t, inputs.rank_ic_t
    for (factor, horizon), plain, honest in zip(inputs.rank_ics.keys, plain_t.tolist(), honest_t.tolist(), strict=True):
        if horizon > 1 and abs(plain) >= SIGNIFICANT > abs(honest):
            text = (
                f"{_of(factor, horizon)}: t = {plain:.1f} if dates were independent, {honest:.1f} by Newey-West;"
                " returns of neighbouring dates share days, so trust the second"
            )
            yield _finding("overlap", "warning", text, honest, factor, horizon)


FEWEST_PERIODS = 20
"""Separate periods below which neither a t statistic nor a bootstrap interval holds what it says."""


def short_history(inputs: HealthInputs) -> Iterator[Finding]:
    """Fewer than 20 periods that do not overlap."""
    for factor, horizon, values in inputs.rank_ics.columns():
        periods = len(values) / horizon
        if periods < FEWEST_PERIODS:
            text = f"{_of(factor, horizon)}: {len(values)} dates are only {periods:.1f} periods that do not overlap"
            yield _finding("short_history", "warning", text, periods, factor, horizon)


FEW_NAMES = 20
"""The rank IC of 20 unrelated names has a standard deviation of 0.23 on a date: 1 / sqrt(names - 1)."""


def few_names(inputs: HealthInputs) -> Iterator[Finding]:
    """A median of fewer than 20 names on a date."""
    if inputs.ic.is_empty():
        return
    medians = inputs.ic.group_by(KEYS, maintain_order=True).agg(pl.col("names").median())
    for factor, horizon, names in medians.filter(pl.col("names") < FEW_NAMES).iter_rows():
        noise = 1 / np.sqrt(max(names - 1, 1))
        text = f"{_of(factor, horizon)}: {names:.0f} names on a typical date: a rank IC of {noise:.2f} is noise there"
        yield _finding("few_names", "warning", text, names, factor, horizon)


CONSTANT_WARNING, CONSTANT_FAULT = 0.05, 0.5


def constant_dates(inputs: HealthInputs) -> Iterator[Finding]:
    """Dates with enough names but no rank IC, as all values tie: a warning above 5%, a fault above half."""
    if inputs.ic.is_empty():
        return
    dated = inputs.ic.filter(pl.col("names") >= FEWEST)
    shares = dated.group_by(KEYS, maintain_order=True).agg(pl.col("rank_ic").fill_nan(None).is_null().mean())
    for factor, horizon, share in shares.filter(pl.col("rank_ic") > CONSTANT_WARNING).iter_rows():
        text = f"{_of(factor, horizon)}: all values tie on {share:.0%} of the dates, which give no IC"
        yield _finding("constant_dates", graded(share, CONSTANT_FAULT), text, share, factor, horizon)


SAMPLE = 60
UNEVEN, UNEVEN_SHARE = 0.5, 0.2
"""Less than half of an even share of names, in more than a fifth of quantiles and dates: rounding does not do that."""


def uneven_quantiles(inputs: HealthInputs) -> Iterator[Finding]:
    """Ties: more than a fifth of quantiles hold less than half of an even share of the names, on 60 dates."""
    table = inputs.quantile_returns_by_date
    if table.is_empty():
        return
    sampled = table["date"].unique().sort()
    table = table.filter(pl.col("date").is_in(sampled.gather_every(-(-sampled.len() // SAMPLE)).implode()))
    quantiles = int(inputs.settings.get("quantiles", table["quantile"].max()))
    even = pl.col("names").sum() / quantiles
    uneven = quantiles - (pl.col("names") >= UNEVEN * even).sum()
    dates = table.group_by([*KEYS, "date"], maintain_order=True).agg(names=pl.col("names").sum(), uneven=uneven)
    enough = dates.filter(pl.col("names") >= 2 * quantiles)
    shares = enough.group_by(KEYS, maintain_order=True).agg(pl.col("uneven").mean() / quantiles)
    for factor, horizon, share in shares.filter(pl.col("uneven") > UNEVEN_SHARE).iter_rows():
        text = (
            f"{_of(factor, horizon)}: {share:.0%} of quantiles are empty or less than half as large as they should be,"
            " as values tie; use fewer quantiles, or break the ties by a second factor"
        )
        yield _finding("uneven_quantiles", "warning", text, share, factor, horizon)


THIN = 0.5


def thin_coverage(inputs: HealthInputs) -> Iterator[Finding]:
    """From its first value on, a factor has one for less than half of the eligible names."""
    if inputs.coverage.is_empty():
        return
    dates = inputs.coverage.sort("factor", "date").filter((pl.col("present").cum_sum() > 0).over("factor"))
    share = pl.col("present").sum() / pl.col("eligible").sum()
    for factor, figure in dates.group_by("factor", maintain_order=True).agg(share.alias("share")).iter_rows():
        if figure is not None and figure < THIN:
            text = f"{factor}: a value for only {figure:.0%} of eligible names; the result speaks for these alone"
            yield Finding(name="thin_coverage", level="warning", text=text, figure=figure, factor=factor)


DROPPED = 0.2
EXPECTED = ("input", "used", "outside dates", "outside universe", "no exit yet", "no factor value")
"""Not a loss, or found by `thin_coverage`."""


def rows_dropped(inputs: HealthInputs) -> Iterator[Finding]:
    """More than a fifth of the rows on the dates and in the universe are lost for one reason."""
    if inputs.dropped.is_empty():
        return
    is_loss, is_meant = ~pl.col("reason").is_in(EXPECTED), ~pl.col("reason").is_in(EXPECTED[:1] + EXPECTED[2:5])
    meant = pl.col("rows").filter(is_meant).sum().over(KEYS)
    shares = inputs.dropped.with_columns(share=pl.col("rows") / pl.max_horizontal(meant, 1)).filter(is_loss)
    largest = shares.group_by("reason", maintain_order=True).agg(pl.col("share").max())
    for reason, share in largest.filter(pl.col("share") > DROPPED).iter_rows():
        text = f"up to {share:.0%} of the rows that should count are lost: {reason}; see the table `dropped`"
        yield Finding(name="rows_dropped", level="warning", text=text, figure=share)


HALF, ODD = 0.5, 2.0
"""A few dates that give more than half of a mean, and move it by two standard errors of ordinary dates."""
MAD_TO_STD = 1.4826


def one_date(inputs: HealthInputs) -> Iterator[Finding]:
    """One date, or the `horizon` dates that share it, gives more than half of the long-short return.

    The standard error is that of ordinary dates: from the median absolute deviation, which the odd date cannot move.
    """
    for factor, horizon, values in by_date(inputs.long_short, "gross").columns():
        if len(values) < 2 * horizon + FEWEST:
            continue
        mean = float(np.mean(values))
        before = np.concatenate([[0.0], np.cumsum(values)])
        without = (before[-1] - before[horizon:] + before[:-horizon]) / (len(values) - horizon)
        place = int(np.argmin(without * np.sign(mean)))
        typical = MAD_TO_STD * float(np.median(np.abs(values - np.median(values)))) * np.sqrt(horizon / len(values))
        moved = abs(mean - without[place])
        if moved > max(HALF * abs(mean), ODD * typical):
            text = (
                f"{_of(factor, horizon)}: without {_count(horizon)} of {len(values)} the mean long-short return falls"
                f" from {mean:.4%} to {without[place]:.4%}; look at the prices of that time"
            )
            yield _finding("one_date", "warning", text, float(without[place]), factor, horizon)


PART = 0.6
"""One part gives more than this share of the mean rank IC, and more than twice its share of the data."""


def one_year(inputs: HealthInputs) -> Iterator[Finding]:
    """One year, of at least three, makes a result that is significant as a whole."""
    yield from _one_part(inputs, inputs.ic_by_year, "year", "dates")


def one_group(inputs: HealthInputs) -> Iterator[Finding]:
    """One group, of at least three, makes a result that is significant as a whole."""
    yield from _one_part(inputs, inputs.ic_by_group, "group", "names")


def _one_part(inputs: HealthInputs, table: pl.DataFrame, part: str, weight: str) -> Iterator[Finding]:
    if table.is_empty():
        return
    known = np.abs(inputs.rank_ic_t) >= SIGNIFICANT
    keys = [key for key, significant in zip(inputs.rank_ics.keys, known.tolist(), strict=True) if significant]
    wanted = pl.DataFrame(keys, schema={name: table.schema[name] for name in KEYS}, orient="row")
    rows = table.filter(pl.col("rank_ic_mean").is_finite()).join(wanted, on=KEYS, maintain_order="left")
    given = (pl.col("rank_ic_mean") * pl.col("weight")).over(KEYS)
    parts = rows.with_columns(weight=(pl.col(weight) / pl.col(weight).sum()).over(KEYS), parts=pl.len().over(KEYS))
    shares = parts.with_columns(share=given / given.sum().over(KEYS)).filter(pl.col("parts") >= FEWEST)
    found = shares.filter(pl.col("share") > pl.max_horizontal(PART, 2 * pl.col("weight")))
    for factor, horizon, name, size, share in found.select(*KEYS, part, "weight", "share").iter_rows():
        text = (
            f"{_of(factor, horizon)}: {part} {name}, {size:.0%} of the data, gives {share:.0%} of the mean rank IC;"
            " the others say little"
        )
        yield _finding(f"one_{part}", "warning", text, share, factor, horizon)


SAME = 0.99


def same_factor(inputs: HealthInputs) -> Iterator[Finding]:
    """Two factors whose values have a mean rank correlation beyond 0.99: one trial, not two."""
    if inputs.correlation.is_empty():
        return
    pairs = inputs.correlation.filter((pl.col("factor_a") < pl.col("factor_b")) & (pl.col("values").abs() > SAME))
    for first, second, figure in pairs.select("factor_a", "factor_b", "values").iter_rows():
        text = f"{first} and {second} rank alike (correlation {figure:.3f}): they count as one factor"
        yield Finding(name="same_factor", level="info", text=text, figure=figure, factor=first)


def _finding(name: str, level: Level, text: str, figure: float, factor: str, horizon: int) -> Finding:
    return Finding(name=name, level=level, text=text, figure=figure, factor=factor, horizon=horizon)


def _of(factor: object, horizon: object) -> str:
    return f"{factor} at horizon {horizon}"


def _count(horizon: int) -> str:
    return "one date" if horizon == 1 else f"{horizon} neighbouring dates"
