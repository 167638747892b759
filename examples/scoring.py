"""From factors to a portfolio: score, fit weights, hold within bounds, and see where returns came from.

Open with `marimo edit examples/scoring.py`, or run as a script.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium")


@app.cell
def _():
    import os
    import pathlib

    import marimo as mo
    import polars as pl

    import factorloom as fl
    from factorloom.engine.bars.market import simulate

    return fl, mo, os, pathlib, pl, simulate


@app.cell
def _(mo):
    mo.md(
        """
        # From factors to a portfolio

        ## Bars

        Five years of daily bars of the S&P 500, from the folder that `FACTORLOOM_DATA` names. Without it, bars are
        simulated. The file of sectors lists later members: names that it lacks get a category of their own, as
        otherwise they would have no score.
        """
    )
    return


@app.cell
def _(fl, os, pathlib, pl, simulate):
    folder = pathlib.Path(os.environ.get("FACTORLOOM_DATA", "no-data"))
    prices, reference = folder / "prices" / "sp500_2013_2018.parquet", folder / "reference" / "sp500_gics_sectors.csv"
    if prices.exists() and reference.exists():
        sectors = pl.read_csv(reference).select(symbol="Symbol", sector="GICS Sector")
        bars = pl.read_parquet(prices).join(sectors, on="symbol", how="left")
    else:
        bars = simulate(symbols=500, years=5)
    panel = fl.Panel.from_frame(bars.with_columns(pl.col("sector").fill_null("unknown")))
    print(panel)
    return (panel,)


@app.cell
def _(mo):
    mo.md(
        """
        ## Model

        Four factors in two groups of equal weight. `activity` is the volume of a month compared with that of a year:
        without shares outstanding there is no turnover. The score does not depend on the sector and on size, here the
        logarithm of the mean dollar volume.
        """
    )
    return


@app.cell
def _(fl):
    factors = {
        "momentum": fl.ScoreFactor(fl.ts_delay(fl.close, 21) / fl.ts_delay(fl.close, 252) - 1, group="trend"),
        "reversal": fl.ScoreFactor(fl.ts_pct_change(fl.close, 5), direction=-1, group="trend"),
        "volatility": fl.ScoreFactor(fl.ts_std(fl.returns, 60), direction=-1, group="risk"),
        "activity": fl.ScoreFactor(fl.ts_mean(fl.volume, 21) / fl.ts_mean(fl.volume, 252), direction=-1, group="risk"),
    }
    rules = {
        "neutralize": "sector",
        "exposures": {"size": fl.log(fl.ts_mean(fl.close * fl.volume, 60))},
        "groups": {"trend": 1, "risk": 1},
    }
    equal = fl.ScoreModel("equal", factors, weighting="equal", **rules)
    return equal, factors, rules


@app.cell
def _(mo):
    mo.md(
        """
        ## Score

        All month ends are scored at once. Of the last one: the best five names, the ranks and mean scores of each fifth
        of the names, why the first name is first, and what changed since the month before.
        """
    )
    return


@app.cell
def _(equal, fl, panel, pl):
    equal_scores = fl.score(panel, equal, dates="month_end")
    before, last = equal_scores["date"].unique().sort()[-2:]
    latest = equal_scores.filter(pl.col("date") == last)
    print(latest.select("symbol", "date", "score", "rank", "group_trend", "group_risk").head(5))
    spread = latest.drop_nulls("score").group_by("quantile", maintain_order=True)
    print(spread.agg(names=pl.len(), best=pl.min("rank"), worst=pl.max("rank"), score=pl.mean("score")))
    why = fl.explain_score(panel, equal, latest["symbol"][0], last, before=before)
    print(why)
    why
    return (equal_scores,)


@app.cell
def _(mo):
    mo.md(
        """
        ## Fitted weights

        The same factors, with weights from a ridge regression on the ranks of the returns that followed. A fit does not
        see the future: it trains only on dates whose returns are complete (the purge), and when `alpha` is chosen, the
        dates after a fold whose factors look back on it are left out (the embargo).

        A negative weight turns the direction of a factor around. Where weights change their sign, the fit has found
        little that lasts.
        """
    )
    return


@app.cell
def _(factors, fl, panel, rules):
    ridge = fl.Fit("ridge", horizon=21, window=504, alpha=[0.1, 1.0, 10.0])
    fitted = fl.ScoreModel("fitted", factors, weighting=ridge, **rules)
    fits = fl.fit_weights(panel, fitted)
    fitted_scores = fl.score(panel, fitted, dates="month_end", weights=fits)
    known = fits.drop_nulls("weight_momentum")
    print(known.gather_every(6).select("date", "last", "alpha", *(f"weight_{name}" for name in factors)))
    return fitted_scores, known


@app.cell
def _(mo):
    mo.md(
        """
        ## Weights

        The best 80 names, from the first fit on: none above 2 percent, no sector above 25, and a quarter of the capital
        exchanged each month at most. Buying from cash is a turnover of 0.5 and is cut as well, so the first months hold
        cash. The benchmark is all names in equal parts.
        """
    )
    return


@app.cell
def _(equal_scores, fitted_scores, fl, known, panel, pl):
    bounds = {"top": 80, "max_weight": 0.02, "groups": "sector", "max_group": 0.25, "max_turnover": 0.25}
    decided, sector = {}, panel.frame.select("symbol", "date", "sector")
    for name, table in {"equal": equal_scores, "fitted": fitted_scores}.items():
        since = table.filter(pl.col("date") >= known["date"][0]).join(sector, on=["symbol", "date"])
        decided[name] = fl.weights(since, **bounds)
        notes = decided[name].notes.group_by("limit", "reason", maintain_order=True)
        print(name, notes.agg(dates=pl.len(), least=pl.min("got")))
    decided["all names"] = fl.weights(since.with_columns(score=1.0), method="score")
    decided["fitted"].notes
    return (decided,)


@app.cell
def _(mo):
    mo.md(
        """
        ## Backtest

        Decided at the end of a month, bought on the date after it, at a cost of 5 hundredths of a percent of what is
        traded. A name without a price is traded at its last one. The information ratio times the square root of the
        years is the t of the return above the benchmark: below 2 it may well be luck.
        """
    )
    return


@app.cell
def _(decided, fl, panel, pl):
    rules_of_trade = {"costs_bps": 5, "groups": "sector", "missing": "last"}
    market = fl.backtest(decided["all names"], panel, **rules_of_trade)
    benchmark = market.returns.select("date", pl.col("net").alias("return"))
    tests = {
        name: fl.backtest(decided[name], panel, benchmark=benchmark, **rules_of_trade) for name in ("equal", "fitted")
    }
    tests["all names"] = market
    summaries = pl.concat([test.summary for test in tests.values()], how="diagonal")
    summaries = summaries.drop("start", "end", "dates_per_year")
    side_by_side = summaries.transpose(include_header=True, header_name="measure", column_names=list(tests))
    with pl.Config(tbl_rows=-1):
        print(side_by_side)
    print(tests["fitted"].notes)
    return (tests,)


@app.cell
def _(mo):
    mo.md(
        """
        ## Attribution

        Sums of daily contributions to the gross return, before costs. What goes with the scores is split over their
        factors. The rest of a portfolio without short positions is mostly the market.
        """
    )
    return


@app.cell
def _(fitted_scores, pl, tests):
    by_factor = tests["fitted"].attribution_by_factor(fitted_scores)
    print(by_factor.select(pl.exclude("date").sum()))
    by_sector = tests["fitted"].attribution_by_group.group_by("group").agg(pl.sum("contribution"))
    assert abs(by_sector["contribution"].sum() - by_factor["gross"].sum()) < 1e-9
    by_sector.sort("contribution", descending=True)
    return


@app.cell
def _(mo):
    mo.md(
        """
        ## What these figures do not show

        - The file holds the members of the index at its end, and survivors only: companies that failed or left are
          missing, and those that joined later are there from the start. The returns are too high, the benchmark's too.
        - Five years, of which the first fit takes more than one. The market rose, and so did all portfolios.
        - One fit rule was tried, with one window and one set of bounds. Others give other figures, and the best of many
          would be luck.
        - The factors were chosen by those who knew that they had worked. Prices are without dividends, and costs are a
          fixed rate: large trades cost more.
        """
    )
    return


if __name__ == "__main__":
    app.run()
