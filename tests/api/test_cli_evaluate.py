"""`factorloom evaluate`: text, tables and the report, of a dataset and of a file, and its errors."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import factorloom as fl
from factorloom.api.cli import evaluate as door
from factorloom.api.verb.evaluation import summary_text, table
from factorloom.storage.store import open_store

Command = Callable[..., tuple[int, str, str]]

FACTORS = {"momentum": "ts_pct_change(close, 20)", "turn": "-ts_pct_change(close, 3)"}
WORDS = [f"{name}={text}" for name, text in FACTORS.items()]


@pytest.fixture
def bars_file(tmp_path: Path, market: pl.DataFrame) -> Path:
    path = tmp_path / "bars.parquet"
    market.write_parquet(path)
    return path


@pytest.fixture(scope="module")
def evaluation(market: pl.DataFrame) -> fl.Evaluation:
    return fl.evaluate(fl.Panel.from_frame(market), FACTORS)


def test_the_summary_is_a_table_to_read_with_findings_below(
    command: Command, store_path: Path, evaluation: fl.Evaluation
) -> None:
    code, out, err = command("evaluate", "us", *WORDS, "--store", store_path)
    assert (code, err) == (0, "")
    assert out == summary_text(evaluation)
    lines = out.splitlines()
    assert lines[0].startswith("2 factors, 261 dates, 2025-01-01 to 2025-12-31; 5 quantiles, entry after 1 date")
    assert lines[0].endswith("2 tried so far")
    rows = evaluation.summary.rows(named=True)
    for line, row in zip(lines[3:9], rows, strict=True):
        cells = line.split()
        assert cells[:3] == [row["factor"], str(row["horizon"]), str(row["dates"])]
        assert float(cells[4]) == pytest.approx(row["rank_ic_mean"], abs=1e-4)
    assert lines[9] == ""
    with open_store(store_path) as store:
        assert store.sql("SELECT count(*) AS n FROM catalog.trials")["n"][0] == 2


def test_every_option_reaches_the_evaluation(command: Command, store_path: Path, market: pl.DataFrame) -> None:
    members = market.select("symbol").unique().sort("symbol").head(40).with_columns(valid_from=pl.lit("2025-01-01"))
    with open_store(store_path) as store:
        store.load_universe("us", "forty", members)
        version = store.version("us")
        store.load("us", market.drop("sector").with_columns(pl.col("close") * 1.5).tail(1))
    words = [
        *("--horizons", "2, 4", "--quantiles", 3, "--group", "sector", "--universe", "forty", "--price", "open"),
        *("--entry-lag", 2, "--costs-bps", "7.5", "--start", "2025-02-01", "--end", "2025-11-30", "--halted", "-0.3"),
        *(
            "--weights",
            "log(close * volume)",
            "--neutral",
            "--log",
            "--excess",
            "sector",
            "--as-of",
            version,
            "--format",
            "parquet",
        ),
    ]
    for name in ("summary", "ic_by_group", "long_short", "dropped"):
        target = store_path.parent / "x.parquet"
        code, _, err = command("evaluate", "us", *WORDS, *words, "--table", name, "-o", target, "--store", store_path)
        assert (code, err) == (0, "")
        with open_store(store_path, read_only=True) as store:
            expected = store.evaluate(
                "us", FACTORS, horizons=(2, 4), quantiles=3, group="sector", universe="forty", price="open",
                entry_lag=2, costs_bps=7.5, start="2025-02-01", end="2025-11-30", halted=-0.3,
                weights="log(close * volume)", neutral=True, log=True, excess="sector", as_of=version,
            )  # fmt: skip
            assert_frame_equal(pl.read_parquet(target), getattr(expected, name))


@pytest.mark.parametrize("name", door.Table.__args__)  # type: ignore[attr-defined]
def test_every_table_can_be_had(evaluation: fl.Evaluation, name: str) -> None:
    assert table(evaluation, name).columns


def test_tables_follow_the_name_of_the_file(
    command: Command, bars_file: Path, tmp_path: Path, evaluation: fl.Evaluation
) -> None:
    for ending, read in (("csv", pl.read_csv), ("parquet", pl.read_parquet), ("arrow", pl.read_ipc)):
        target = tmp_path / f"out.{ending}"
        assert command("evaluate", bars_file, *WORDS, "-o", target) == (0, "", "")
        assert_frame_equal(read(target), evaluation.summary, check_dtypes=False)
    code, out, _ = command("evaluate", bars_file, *WORDS, "--table", "ic_decay", "--format", "csv")
    assert code == 0
    assert pl.read_csv(io.BytesIO(out.encode())).columns == evaluation.ic_decay.columns
    code, out, _ = command("evaluate", bars_file, *WORDS, "--table", "correlation")
    assert (code, "factor_a" in out) == (0, True)
    assert command("evaluate", bars_file, *WORDS, "-o", tmp_path / "out.txt") == (0, "", "")
    assert (tmp_path / "out.txt").read_text() == summary_text(evaluation)


def test_the_report_is_written_beside_the_summary(command: Command, store_path: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.html"
    code, out, err = command("evaluate", "us", *WORDS, "--horizons", "1,5", "-o", sheet, "--store", store_path)
    assert (code, err) == (0, "")
    assert "rank IC" in out
    page = sheet.read_text()
    assert page.startswith("<!doctype html>") and "<title>us</title>" in page and "turn" in page
    assert "default-src &#x27;none&#x27;" in page


def test_libraries_and_saved_factors(command: Command, store_path: Path, bars_file: Path) -> None:
    words = ["--horizons", 5, "--table", "coverage", "--format", "csv"]
    with open_store(store_path) as store:
        store.load("thin", store.panel("us").frame.select("symbol", "date", "close", "volume"))
        store.save("thin", {"kept": "ts_pct_change(close, 7)"})
    code, out, err = command("evaluate", "thin", *WORDS, "--library", "styles", *words, "--store", store_path)
    assert code == 0
    found = set(pl.read_csv(io.BytesIO(out.encode()))["factor"])
    assert found == {*FACTORS, *fl.library.styles().available(["close", "volume"])}
    assert re.match(r"factorloom: \d+ of 34 factors of styles left out: no .*high", err)
    code, out, _ = command("evaluate", "thin", *words, "--store", store_path)
    assert (code, set(pl.read_csv(io.BytesIO(out.encode()))["factor"])) == (0, {"kept"})
    code, _, err = command("evaluate", bars_file, "size=close", "--library", "styles")
    assert (code, "two factors are named 'size'" in err) == (2, True)


def test_files_are_read_as_by_load(command: Command, market: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    market.rename({"symbol": "who"}).write_csv(path, separator=";")
    words = ["--symbol", "who", "--separator", ";", "--universe", "volume > 0", "--horizons", 1]
    code, out, err = command("evaluate", path, *WORDS, *words)
    assert (code, err) == (0, "")
    expected = fl.evaluate(fl.Panel.from_frame(market), FACTORS, universe="volume > 0", horizons=1)
    assert out == summary_text(expected)


def test_many_rows_and_findings_are_cut(market: pl.DataFrame) -> None:
    panel = fl.Panel.from_frame(market)
    some = {f"f{n}": fl.ts_pct_change(fl.close, n) for n in range(1, 15)} | {
        f"c{n}": fl.close * 0 + n for n in range(4)
    }
    found = fl.evaluate(panel, some)
    lines = summary_text(found).splitlines()
    assert lines[43] == "the 40 of 54 rows with the largest t"
    assert not any(line.startswith("c0") for line in lines[3:43])
    levels = [line.split()[0] for line in lines[45:55]]
    assert levels == ["fault"] * 10
    assert re.fullmatch(r"and \d+ more findings: --table health", lines[55])


BAD = [
    (["us"], "no factor of dataset 'us' is saved"),
    (["us", "clsoe"], "did you mean 'close'?"),
    (["us", "ts_lead(close, 1)"], "looks ahead"),
    (["us", "a=close", "a=open"], "two factors are named 'a'"),
    (["uss", "close"], "did you mean 'us'?"),
    (["us", "close", "--horizons", "1,x"], "horizons must be whole numbers"),
    (["us", "close", "--horizons", "0"], "a horizon must be at least 1"),
    (["us", "close", "--horizons", ","], "at least one horizon"),
    (["us", "close", "--quantiles", "1"], "quantiles must be from 2"),
    (["us", "close", "--group", "sectr"], "did you mean 'sector'?"),
    (["us", "close", "--universe", "all"], "no universe 'all'"),
    (["us", "close", "--halted", "gone"], "halted must be"),
    (["us", "close", "--neutral"], "needs a group"),
    (["us", "close", "--as-of", "99"], "99"),
    (["us", "close", "--table", "icc"], "icc"),
    (["us", "close", "--library", "stlyes"], "styles"),
    (["us", "close", "--symbol", "who"], "need a file of bars"),
    (["us", "close", "--table", "ic", "-o", "x.html"], "a report has all tables"),
    (["us", "close", "-o", "x.pdf"], "stands for no format"),
    (["us", "close", "-o", "nowhere/x.html"], "does not exist"),
    (["./bars.csv", "close"], "bars.csv"),
    (["api/cli/command.py", "close"], "command.py"),
    ([], "source"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words)[:40] for words, _ in BAD])
def test_bad_requests_get_one_message_and_count_nothing(
    words: list[str], message: str, command: Command, store_path: Path
) -> None:
    code, out, err = command("evaluate", *words, "--store", store_path)
    assert (code, out) == (2, "")
    assert message.lower() in err.lower()
    assert "Traceback" not in err
    with open_store(store_path) as store:
        assert store.sql("SELECT * FROM catalog.trials").is_empty()


def test_what_a_file_cannot_have(command: Command, bars_file: Path) -> None:
    for words, message in (
        ([], "no factor to evaluate"),
        (["close", "--as-of", "1"], "as_of is for datasets"),
        (["close", "--date", "day"], "day"),
    ):
        code, out, err = command("evaluate", bars_file, *words)
        assert (code, out) == (2, "")
        assert message in err
