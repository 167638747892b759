"""`factorloom score` over many dates, `models`, and `backtest`: the numbers of Python, and their errors."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.storage.store import Store, open_store

Command = Callable[..., tuple[int, str, str]]

BOUNDS = ("--max-weight", "0.08", "--groups", "sector", "--max-group", "0.4", "--max-turnover", "0.4", "--top", "15")


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (("--all-dates", "--start", "2025-12-01"), {"dates": "all", "start": "2025-12-01"}),
        (("--month-ends",), {"dates": "month_end"}),
        (("--dates", "2025-06-05, 2025-06-06"), {"dates": ["2025-06-05", "2025-06-06"]}),
        (("--start", "2025-12-01", "--end", "2025-12-05"), {"start": "2025-12-01", "end": "2025-12-05"}),
    ],
)
def test_many_dates(
    command: Command, store_path: Path, model_file: Path, store: Store, words: tuple[str, ...], asked: dict[str, str]
) -> None:
    expected = fl.score(store.panel("us"), fl.ScoreModel.from_toml(model_file), **asked)  # type: ignore[arg-type]
    code, out, _ = command("score", "us", model_file, *words, "--format", "json", "--store", store_path)
    assert code == 0
    assert_frame_equal(pl.read_json(io.StringIO(out), schema=expected.schema), expected)
    with open_store(store_path, read_only=True) as again:
        assert again.sql("SELECT count(DISTINCT date) FROM scores.us").item() == expected["date"].n_unique()


def test_models_are_listed_and_printed(command: Command, store_path: Path, model_file: Path) -> None:
    model = fl.ScoreModel.from_toml(model_file)
    assert command("score", "us", model_file, "--store", store_path)[0] == 0
    code, out, _ = command("models", "us", "--format", "csv", "--store", store_path)
    assert code == 0
    assert pl.read_csv(io.StringIO(out)).row(0)[:2] == (model.name, model.digest)
    code, out, _ = command("models", "us", model.name, "--digest", model.digest, "--store", store_path)
    assert code == 0
    assert fl.ScoreModel.from_toml(out) == model
    code, _, err = command("models", "us", "smal", "--store", store_path)
    assert code == 2 and f"did you mean {model.name!r}" in err


@pytest.mark.parametrize("method", ["top", "long_short", "inverse_volatility"])
def test_a_backtest_is_that_of_python(
    command: Command, store_path: Path, model_file: Path, store: Store, method: str
) -> None:
    panel, model = store.panel("us"), fl.ScoreModel.from_toml(model_file)
    scores = fl.score(panel, model, dates="month_end")
    scores = scores.join(panel.frame.select("symbol", "date", "sector"), on=["symbol", "date"], how="left")
    spread = panel.compute(value="ts_std(returns, 60)") if method == "inverse_volatility" else None
    bounds = {"max_weight": 0.08, "groups": "sector", "max_group": 0.4, "max_turnover": 0.4, "top": 15}
    weights = fl.weights(scores, method=method, volatility=spread, **bounds)  # type: ignore[arg-type]
    expected = fl.backtest(weights, panel, costs_bps=5, groups="sector", missing="last")
    words = ("backtest", "us", model_file, *BOUNDS, "--method", method, "--costs-bps", "5", "--missing", "last")
    tables = {
        "summary": expected.summary,
        "returns": expected.returns,
        "weights": weights.frame,
        "attribution": expected.attribution,
        "factors": expected.attribution_by_factor(scores),
        "groups": expected.attribution_by_group,
    }
    for name, table in tables.items():
        code, out, err = command(*words, "--table", name, "--format", "csv", "--store", store_path)
        assert (code, err) == (0, "")
        assert_frame_equal(pl.read_csv(io.StringIO(out), schema=table.schema), table)
    code, out, _ = command(*words, "--table", "notes", "--format", "csv", "--store", store_path)
    assert code == 0 and out.startswith("date,kind,text\n")
    assert out.count("\n") > weights.notes.height >= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("score", "--all-dates", "--month-ends"), "exclude each other"),
        (("score", "--dates", "2025-06-07"), "no bars on 2025-06-07"),
        (("score", "--date", "2025-06-06", "--all-dates"), "cannot stand beside"),
        (("backtest", "--rebalance", "W-FRY"), "W-FRI"),
        (("backtest", "--start", "2031-01-01"), "no bars from 2031-01-01"),
        (("backtest", "--start", "2025-12-31"), "nothing to rebalance on"),
        (("backtest", "--max-group", "0.3"), "max_group needs groups"),
        (("backtest", "--groups", "sektor"), "sektor"),
    ],
)
def test_errors(command: Command, store_path: Path, model_file: Path, words: tuple[str, ...], message: str) -> None:
    verb, *options = words
    code, out, err = command(verb, "us", model_file, *options, "--store", store_path)
    assert code in (1, 2) and out == ""
    assert message in err and "Traceback" not in err
