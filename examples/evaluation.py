"""From bars to a sheet: evaluate factors, doubt what was found, and write the report.

Open with `marimo edit examples/evaluation.py`, or run as a script.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium")


@app.cell
def _():
    import marimo as mo
    import polars as pl

    import factorloom as fl
    from factorloom.engine.bars.market import simulate

    return fl, mo, pl, simulate


@app.cell
def _(mo):
    mo.md(
        """
        # From bars to a sheet

        ## Bars

        Four years of daily bars of 150 simulated companies. Their returns are noise, but for one thing: prices of
        profitable companies rise a little faster. A good evaluation finds that, and nothing else.

        With real data, replace the first line: a frame, a Parquet or CSV file, a folder of them. `docs/data.md` says
        what is read. Sectors are one more column of text, joined by symbol.

            bars = pl.read_parquet("prices.parquet").join(pl.read_csv("sectors.csv"), on="symbol", how="left")
        """
    )
    return


@app.cell
def _(fl, simulate):
    bars = simulate(symbols=150, years=4, seed=1)
    panel = fl.Panel.from_frame(bars)
    print(panel)
    panel
    return bars, panel


@app.cell
def _(mo):
    mo.md(
        """
        ## Factors

        High values should mean high returns, so volatility has a minus.
        """
    )
    return


@app.cell
def _(fl):
    factors = {
        "momentum": fl.ts_delay(fl.close, 21) / fl.ts_delay(fl.close, 252) - 1,
        "reversal": -fl.ts_pct_change(fl.close, 5),
        "calm": -fl.ts_std(fl.returns, 60),
        "quality": fl.col("return_on_equity"),
    }
    return (factors,)


@app.cell
def _(mo):
    mo.md(
        """
        ## Evaluate

        Bought on the date after that of the factor, held for a day, a week or a month of market dates, at a cost of
        5 hundredths of a percent for each trade.
        """
    )
    return


@app.cell
def _(factors, fl, panel):
    found = fl.evaluate(panel, factors, group="sector", costs_bps=5)
    found
    return (found,)


@app.cell
def _(mo):
    mo.md(
        """
        ## Which is best?

        The mean rank IC says how strong a factor is, its t how sure one can be. `rank_ic_q` allows for the other
        factors of this table.
        """
    )
    return


@app.cell
def _(found, pl):
    ranked = found.summary.sort(pl.col("rank_ic_t").abs(), descending=True).select(
        *("factor", "horizon", "rank_ic_mean", "rank_ic_low", "rank_ic_high", "rank_ic_t", "rank_ic_q"),
        *("turnover", "long_short_return", "long_short_net", "deflated_sharpe"),
    )
    best = ranked["factor"][0]
    print(ranked.select("factor", "horizon", "rank_ic_mean", "rank_ic_t", "long_short_net"))
    assert best == "quality"
    ranked
    return best, ranked


@app.cell
def _(mo):
    mo.md("""Is it there in every year, in every sector, and do returns rise from quantile to quantile?""")
    return


@app.cell
def _(best, found):
    one = {"factor": best, "horizon": 21}
    years = found.ic_by_year.filter(**one).select("year", "dates", "rank_ic_mean", "hit_rate")
    years
    return one, years


@app.cell
def _(found, one):
    sectors = found.ic_by_group.filter(**one).select("group", "names", "rank_ic_mean", "rank_ic_t")
    sectors.sort("rank_ic_mean")
    return (sectors,)


@app.cell
def _(found, one):
    quantiles = found.quantile_returns.filter(**one).select("quantile", "mean", "std_error", "excess", "hit_rate")
    quantiles
    return (quantiles,)


@app.cell
def _(mo):
    mo.md(
        """
        ## What trading leaves

        A factor that changes every day pays for it every day: see what reversal earns before and after costs.
        """
    )
    return


@app.cell
def _(found):
    found.summary.select("factor", "horizon", "turnover", "half_life", "long_short_return", "long_short_net")
    return


@app.cell
def _(mo):
    mo.md(
        """
        ## What to distrust

        Faults come first. On real bars, look for `survivorship` here: the companies that failed are often missing.
        """
    )
    return


@app.cell
def _(found):
    for level, name, text in found.health.select("level", "name", "text").iter_rows():
        print(f"{level}: {name}: {text}")
    return


@app.cell
def _(mo):
    mo.md("""A column that was filled with later prices cannot be seen in a formula, but in what it knows.""")
    return


@app.cell
def _(bars, fl, pl):
    later = pl.col("close").shift(-3).over("symbol") / pl.col("close")
    filled = fl.Panel.from_frame(bars.sort("symbol", "date").with_columns(target=later))
    leak = fl.evaluate(filled, {"target": fl.col("target")})
    print(leak.health["text"][0])
    assert leak.health["level"][0] == "fault"
    return


@app.cell
def _(mo):
    mo.md("""## What became of every bar""")
    return


@app.cell
def _(found, one):
    rows = found.dropped.filter(**one)
    print(rows.select("reason", "rows"))
    assert rows["rows"][0] == rows["rows"][1:].sum()
    return


@app.cell
def _(mo):
    mo.md(
        """
        ## How many were tried

        A store counts every factor ever evaluated on a dataset. Here forty meaningless ones come before ours, and
        the deflated Sharpe ratio, the probability that ours is better than the best of so many by luck, falls.
        Yours would be in a folder: `fl.open_store("market")`.
        """
    )
    return


@app.cell
def _(bars, best, factors, fl, found):
    with fl.open_store(":memory:") as store:
        store.load("us", bars)
        noise = {f"noise_{days}": fl.cs_rank(fl.ts_delay(fl.volume, days)) for days in range(1, 41)}
        store.evaluate("us", noise, horizons=(21,))
        after = store.evaluate("us", factors, group="sector", costs_bps=5)
    for each in (found, after):
        ((deflated,),) = each.summary.filter(factor=best, horizon=21).select("deflated_sharpe").rows()
        print(f"{each.settings['trials']} tried: {deflated:.3f}")
    return


@app.cell
def _(mo):
    mo.md(
        """
        ## The sheet

        One file, which opens without a network. The tables are Polars frames: `found.summary.write_csv("summary.csv")`.
        """
    )
    return


@app.cell
def _(found):
    sheet = found.to_html("sheet.html", title="Four factors")
    print(f"{sheet}: {sheet.stat().st_size / 1e3:.0f} kB")
    return


if __name__ == "__main__":
    app.run()
