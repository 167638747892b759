"""A first factor: build it, compute it, score it.

Open with `marimo edit examples/first_factor.py`, or run as a script.
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
        # A first factor

        Three years of daily bars of 100 simulated companies, with sectors, late listings and gaps.
        """
    )
    return


@app.cell
def _(fl, simulate):
    panel = fl.Panel.from_frame(simulate(symbols=100, years=3))
    panel
    return (panel,)


@app.cell
def _(mo):
    mo.md(
        """
        ## Build

        Twelve-month momentum without the last month, compared with the other companies of the sector.
        """
    )
    return


@app.cell
def _(fl):
    momentum = fl.ts_delay(fl.close, 21) / fl.ts_delay(fl.close, 252) - 1
    neutral = fl.group_robust_zscore(momentum, "sector")
    print(neutral)
    print("needs", neutral.lookback, "bars of", ", ".join(neutral.columns))
    return momentum, neutral


@app.cell
def _(momentum, neutral, panel):
    print(panel.explain(momentum=momentum, neutral=neutral))
    return


@app.cell
def _(mo):
    mo.md("""## Compute""")
    return


@app.cell
def _(momentum, neutral, panel, pl):
    values = panel.compute(momentum=momentum, neutral=neutral)
    by_date = (
        values.drop_nulls()
        .group_by("date")
        .agg(pl.len().alias("symbols"), pl.col("momentum").median(), pl.col("neutral").std())
        .sort("date")
    )
    by_date.tail(5)
    return by_date, values


@app.cell
def _(mo):
    mo.md("""## Score""")
    return


@app.cell
def _(fl, momentum, panel):
    model = fl.ScoreModel(
        "first",
        {
            "momentum": fl.ScoreFactor(momentum, weight=2),
            "volatility": fl.ScoreFactor(fl.ts_std(fl.returns, 60), direction=-1),
            "value": fl.ScoreFactor(fl.col("earnings_yield")),
        },
        neutralize="sector",
    )
    scores = fl.score(panel, model)
    scores.head(10)
    return model, scores


@app.cell
def _(scores):
    best = scores.row(0, named=True)
    prefix = "contribution_"
    parts = {name.removeprefix(prefix): part for name, part in best.items() if name.startswith(prefix)}
    print(f"{best['symbol']} scores {best['score']:.3f}:", ", ".join(f"{n} {part:+.3f}" for n, part in parts.items()))
    assert abs(sum(parts.values()) - best["score"]) < 1e-12
    return


if __name__ == "__main__":
    app.run()
