"""What is refused of expressions of Polars, what Polars runs itself, and factors as columns and stages."""

from __future__ import annotations

import datetime as dt
import pickle
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
import factorloom.polars
from factorloom.expressions.errors import ExpressionError
from factorloom.polars import with_factors
from tests.oracle import to_array

assert factorloom.polars

x = pl.col("close")
REFUSED: list[tuple[pl.Expr, str]] = [
    (pl.col("close", "open"), "one for each"),
    (pl.all(), "one for each"),
    (pl.struct("close", "open"), "struct"),
    (x.implode(), "not known here"),
    (x.sort(), "ranks"),
    (x.reverse(), "looks ahead"),
    (x.interpolate(), "looks ahead"),
    (x.backward_fill(), "looks ahead"),
    (x.fill_null(strategy="mean"), "looks ahead"),
    (x.cum_sum(reverse=True), "looks ahead"),
    (x.rolling_mean(5, center=True), "looks ahead"),
    (x.rolling_mean(5, weights=[1, 1, 1, 1, 2]), "sum of shifts"),
    (x.rolling_mean(0), "at least 1"),
    (x.rolling_mean(5, min_samples=6), "at most 5"),
    (x.rolling_skew(2), "at least 3"),
    (x.rolling_quantile(1.5, window_size=3), "between 0 and 1"),
    (x.quantile(1.5).over("date"), "between 0 and 1"),
    (x.mean().rolling("date", period="3d"), "counted in bars"),
    (x.rolling_mean_by("date", "3d"), "rolling_mean_by is not known"),
    (x.shift(pl.col("open").cast(pl.Int64)), "written out"),
    (x.diff(null_behavior="drop"), "number of rows"),
    (x.rank(), "without .over()"),
    (x.mean().over("symbol"), "looks ahead"),
    (x.mean().over("sector"), r"\.over\(\['date', 'sector'\]\)"),
    (x.mean().over("date", "symbol"), "leaves one bar"),
    (x.mean().over("date", "sector", "industry"), "several categories"),
    (x.mean().over(pl.col("date").dt.year()), "names of columns"),
    (x.rolling_mean(5).over("date"), "nothing inside"),
    (x.rank("ordinal").over("date"), "order of rows"),
    (x.rank("random").over("date"), "chance"),
    (x.filter(x > 1), "inside a reduction"),
    (x.filter(x > 1).len().over("date"), "left out"),
    (x.cast(pl.String), "gives no number"),
    (x & 1, "bits"),
    (~x.cast(pl.Int64), "bits"),
    (x < float("inf"), "infinite"),
    (pl.lit("text"), "grouped by"),
    (pl.col("sector") == "tech", "grouped by"),
    (pl.col("symbol") + 1, "is a key"),
    (x.is_in(pl.col("open").implode()), "written out"),
    (x.map_batches(abs), "axis='time'"),
    (x.rolling_meen(5) if hasattr(x, "rolling_meen") else x.str.len_chars(), "str.len_chars"),
    (x.hist(), "not known here"),
]


@pytest.mark.parametrize(("expression", "words"), REFUSED, ids=[str(each[0])[:60] for each in REFUSED])
def test_what_is_no_factor_is_refused_with_its_reason(expression: pl.Expr, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        fl.from_polars(expression)


def test_an_error_shows_the_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        fl.from_polars(pl.col("open") + x.backward_fill())
    first, line, caret, _ = str(caught.value).splitlines()
    assert first == "backward_fill looks ahead"
    assert line[caret.index("^") :].startswith('col("close")')


def test_deep_expressions_are_refused() -> None:
    deep = x
    for _ in range(10_000):
        deep = deep + 1
    with pytest.raises(ExpressionError, match="too deep"):
        fl.from_polars(deep)


def test_an_unknown_form_is_never_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later Polars that writes an expression in another way gets an error that says so."""
    read = fl.from_polars.__globals__
    tree = {"Function": {"input": [{"Column": "close"}], "function": {"RollingExpr": {"function": "Mean"}}}}
    monkeypatch.setitem(read, "tree_of", lambda expression: tree)
    with pytest.raises(ExpressionError, match="in a form that is not known"):
        fl.from_polars(x)


@pytest.mark.parametrize("expression", ["close", None, fl.close, 1.0])
def test_only_expressions_are_read(expression: object) -> None:
    with pytest.raises(fl.errors.ArgumentError, match="expression of Polars"):
        fl.from_polars(expression)  # type: ignore[arg-type]


def test_columns_that_are_not_there_are_suggested() -> None:
    with pytest.raises(fl.errors.UnknownColumnError, match="did you mean 'close'"):
        fl.example().compute(pl.col("clsoe").shift(1))


# --- what Polars runs -----------------------------------------------------------------------------------------


def largest(values: pl.Series) -> pl.Series:
    return values.rolling_max(2)


def above(value: float) -> float:
    return float(np.nextafter(value, np.inf))


@pytest.mark.parametrize("engine", ["numba", "polars"])
def test_polars_runs_what_the_caller_declares(engine: fl.engine.panel.Engine) -> None:
    panel, best = fl.example(), x.map_batches(pl.Series.max, return_dtype=pl.Float64, returns_scalar=True)
    factors = {
        "python": fl.from_polars(x.map_batches(largest, return_dtype=pl.Float64), axis="time", lookback=1),
        "rolling": fl.from_polars(x.rolling_map(pl.Series.max, 2), axis="time", lookback=1),
        "far": fl.from_polars(x.map_batches(largest, return_dtype=pl.Float64), axis="time"),
        "elements": fl.from_polars(x.map_elements(above, return_dtype=pl.Float64), axis="cell"),
        "sum": fl.from_polars(x.entropy(base=2).over("date"), axis="cross"),
        "grouped": fl.from_polars(x.entropy(base=2).over("date", "sector"), axis="cross"),
        "best": fl.from_polars(best.over("date", "sector"), axis="cross"),
        "inner": fl.from_polars(pl.arctan2(x.shift(1), pl.col("open").rank().over("date")), axis="cell"),
    }
    assert (factors["python"].lookback, factors["far"].unbounded) == (1, True)
    got = panel.compute(factors, engine=engine)
    frame = panel.frame
    expected = frame.select(
        python=x.rolling_max(2).over("symbol"),
        rolling=x.rolling_max(2).over("symbol"),
        far=x.rolling_max(2).over("symbol"),
        elements=pl.Series(np.nextafter(frame["close"].to_numpy(), np.inf)),
        sum=x.entropy(base=2).over("date"),
        grouped=x.entropy(base=2).over("date", "sector"),
        best=x.max().over("date", "sector"),
        inner=pl.arctan2(x.shift(1).over("symbol"), pl.col("open").rank().over("date")),
    )
    for name in factors:
        np.testing.assert_allclose(to_array(got[name]), to_array(expected[name]), rtol=1e-12)


def test_parts_of_what_polars_runs_are_the_whole() -> None:
    panel = fl.example()
    factor = fl.from_polars(x.rolling_quantile(0.3, window_size=2, min_samples=1))
    whole = panel.compute(q=factor)
    day = dt.date(2024, 1, 4)
    assert panel.compute(q=factor, dates=day).equals(whole.filter(pl.col("date") == day))


def test_text_and_pickles_of_what_polars_runs() -> None:
    factor = fl.from_polars(x.ewm_mean(span=4) + x.rolling_quantile(0.3, window_size=2))
    assert fl.parse(str(factor)) is factor
    assert pickle.loads(pickle.dumps(factor)) is factor
    foreign = 'polars_cell(close, expression=\'{"AnonymousFunction":{"input":[{"Column":"0"}],"function":[128]}}\')'
    with pytest.raises(fl.FactorloomError, match="more than numbers"):
        fl.parse(foreign)
    with pytest.raises(fl.FactorloomError, match="not the JSON"):
        fl.parse("polars_cell(close, expression='{')")


RUN = '{"Function":{"input":[{"Column":"0"}],"function":%s}}'
ROLLING = (
    '{"RollingExpr":{"function":"Quantile","options":{"window_size":2,"min_periods":%d,"weights":null,'
    '"center":%s,"fn_params":{"Quantile":{"prob":0.3,"method":"Nearest"}}}}}'
)


AHEAD, TOO_MANY = RUN % (ROLLING % (1, "true")), RUN % (ROLLING % (9, "false"))


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "1",
        '"Len"',
        '{"Function":{}}',
        '{"Column":"1"}',
        RUN % '"Reverse"',
        AHEAD,
        TOO_MANY,
    ],
)
def test_foreign_text_that_polars_cannot_run_or_that_looks_ahead(text: str) -> None:
    with pytest.raises(fl.FactorloomError, match="more than numbers"):
        fl.parse(f"polars_history(close, expression='{text}')")


def test_foreign_text_of_known_functions() -> None:
    factor = fl.parse(f"polars_history(close, expression='{RUN % (ROLLING % (1, 'false'))}')")
    assert fl.example().compute(x=factor)["x"].to_list()[:3] == [10.0, 10.0, 11.0]
    pair = '{"Function":{"input":[{"Column":"0"},{"Column":"1"}],"function":{"Correlation":{"method":"Pearson"}}}}'
    with pytest.raises(fl.FactorloomError, match="reads input 1"):
        fl.example().compute(x=fl.parse(f"polars_cross(close, expression='{pair}')"))


def test_what_a_user_fills_stays_filled() -> None:
    """Only the fills of reductions over the same symbols are left out where the rest is missing anyway."""
    filled = (x.mean().over("date") + pl.col("open").shift(1)).fl.cs_fill()
    expected = fl.close - fl.cs_fill(fl.cs_fill(fl.cs_mean(fl.close)) + fl.ts_delay(fl.open_, 1))
    assert fl.from_polars(x - filled) is expected
    across = x.fl.group_mean("sector").fl.group_fill("industry") + 0 * x.rank().over("date")
    assert "group_fill(group_mean(close, sector), industry)" in str(fl.from_polars(x - across))


# --- wherever a factor is taken -------------------------------------------------------------------------------


def test_expressions_are_taken_wherever_factors_are() -> None:
    panel, change = fl.example(), x.pct_change(1)
    expected = panel.compute(change=fl.returns)
    assert panel.compute(change.alias("change")).equals(expected)
    assert panel.compute([change.alias("change")]).equals(expected)
    assert panel.compute(change=change).equals(expected)
    assert panel.compute(change).columns[-1] == "ts_pct_change(close, 1)"
    assert fl.ts_mean(change, 2) is fl.ts_mean(fl.returns, 2)
    assert fl.group_rank(x, pl.col("sector")) is fl.group_rank(fl.close, "sector")
    assert fl.close + change is fl.close + fl.returns
    model = fl.ScoreModel("m", {"a": change, "b": fl.ScoreFactor(x.diff(1))})
    assert model.factors["a"].expression is fl.returns
    assert "ts_pct_change(close, 1)" in panel.explain(change)
    with pytest.raises(fl.errors.ModelError, match="looks ahead"):
        fl.ScoreModel("m", {"a": x.backward_fill()})
    with pytest.raises(fl.errors.LookaheadError):
        fl.ScoreModel("m", {"a": x.shift(-1)})


def test_operators_inside_expressions() -> None:
    expression = x.fl.ts_rank(10).fl.cs_rank() * 2 - pl.col("open").fl.group_rank("sector")
    expected = fl.cs_rank(fl.ts_rank(fl.close, 10)) * 2 - fl.group_rank(fl.open_, "sector")
    assert fl.from_polars(expression) is expected
    assert fl.from_polars(x.fl.ts_corr(pl.col("open").diff(1), 5)) is fl.ts_corr(fl.close, fl.ts_delta(fl.open_, 1), 5)
    assert "ts_rank" in dir(x.fl)
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="factorloom: ts_rank"):
        fl.example().frame.select(x.fl.ts_rank(10))
    with pytest.raises(fl.errors.WindowError):
        x.fl.ts_rank(0)
    with pytest.raises(fl.errors.UnknownOperatorError, match="did you mean 'ts_rank'"):
        x.fl.ts_rnak(2)


@given(seed=st.integers(0, 10**6), lazy=st.booleans())
def test_columns_of_any_frame(seed: int, lazy: bool) -> None:
    panel = fl.example()
    frame = panel.frame.rename({"symbol": "Asset", "date": "day", "close": "Adj Close"})
    frame = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    factor = pl.col("Adj Close").pct_change(1).rank().over("day").rolling_mean(2, min_samples=1).over("Asset")
    given: pl.DataFrame | pl.LazyFrame = frame.lazy() if lazy else frame
    got = with_factors(given, value=factor, symbol="Asset", date="day").lazy().collect()  # type: ignore[type-var]
    assert got.drop("value").equals(frame)
    expected = panel.compute(value=fl.ts_mean(fl.cs_rank(fl.returns, method="ordinal"), 2, min_samples=1))
    assert got.sort("Asset", "day")["value"].equals(expected["value"])


def test_frames_that_lack_something() -> None:
    frame = fl.example().frame
    with pytest.raises(fl.errors.UnknownColumnError, match="'asset'"):
        frame.fl.with_factors(x.shift(1), symbol="asset")
    with pytest.raises(fl.errors.UnknownColumnError, match="did you mean 'close'"):
        frame.fl.with_factors(pl.col("clsoe").shift(1))
    with pytest.raises(fl.errors.BarsError):
        pl.concat([frame, frame]).fl.with_factors(x.shift(1))


# --- stages ---------------------------------------------------------------------------------------------------


def test_stages_need_nothing_of_ours() -> None:
    factor = fl.ts_mean(fl.cs_rank(fl.close / 3), 2) + fl.group_zscore(fl.close, "sector")
    stages, panel = factor.to_polars(symbol="s", date="d", name="z"), fl.example()
    copies = [[pl.Expr.deserialize(each.meta.serialize()) for each in stage] for stage in stages]
    frame = panel.frame.rename({"symbol": "s", "date": "d"})
    result = frame.lazy()
    for stage in copies:
        result = result.with_columns(stage)
    expected = panel.compute(z=factor, engine="polars")["z"]
    assert result.collect()["z"].equals(expected)
    assert stages.apply(frame)["z"].equals(expected)
    assert stages.apply(frame.lazy()).collect().columns == [*frame.columns, "z"]


def test_stages_on_many_rows_in_any_order() -> None:
    rng, n, count = np.random.default_rng(0), 150, 500
    days = pl.date_range(dt.date(2020, 1, 1), dt.date(2020, 1, 1) + dt.timedelta(days=count - 1), eager=True)
    frame = pl.DataFrame(
        {
            "symbol": np.repeat([f"S{k:03}" for k in range(n)], count),
            "date": pl.concat([days] * n),
            "close": rng.normal(10, 1, n * count),
        }
    )
    factor = fl.ts_mean(fl.cs_rank(fl.ts_delta(fl.close, 2)), 5) / 3
    rows = frame.sample(fraction=1.0, shuffle=True, seed=1)
    expected = fl.Panel.from_frame(frame).compute(value=factor, engine="polars")["value"]
    for engine in ("in-memory", "streaming"):
        got = factor.to_polars().apply(rows.lazy()).collect(engine=engine)  # type: ignore[call-overload]
        assert got.drop("value").equals(rows)
        assert got.sort("symbol", "date")["value"].equals(expected)


def test_operators_without_a_plain_form_are_named() -> None:
    with pytest.raises(ExpressionError, match="cs_residual"):
        fl.cs_residual(fl.close, fl.open_).to_polars()
    assert 'col("close")' in fl.example().explain(fl.close * 2, form="polars")
    with pytest.raises(fl.errors.ParameterError, match="form must be"):
        fl.example().explain(fl.close, form="sql")  # type: ignore[arg-type]


# --- the page -------------------------------------------------------------------------------------------------


PAGE = Path(__file__).parents[2] / "docs" / "from-polars.md"
REFUSALS = PAGE.read_text().partition("## What is refused")[2]
ROWS = re.findall(r"^\| `(pl\..*?)` \| (.*) \|$", REFUSALS, re.MULTILINE)


@pytest.mark.parametrize(("code", "message"), ROWS, ids=[code for code, _ in ROWS])
def test_the_page_shows_the_errors(code: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        fl.from_polars(eval(code, {"pl": pl, "abs": abs, "float": float}))
    error = caught.value
    assert "; ".join(filter(None, [error.message, error.hint])) == message.replace("\\|", "|")


def test_the_idioms_of_the_page_are_factors() -> None:
    text = PAGE.read_text()
    table = text[text.index("## Idioms") : text.index("## What is known")]
    codes = re.findall(r"^\| [^|`]+ \| `(.*?)` \|", table, re.MULTILINE)
    assert len(codes) == 19
    for code in codes:
        factor = fl.from_polars(eval(code, {"pl": pl, "c": pl.col("close"), "v": pl.col("volume")}))
        fl.example().compute(factor)
