"""The command line: data on stdout, one clear message on stderr, and the exit code."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from factorloom.api.cli import command as cli
from factorloom.api.cli.output import encode
from factorloom.api.http import server
from factorloom.engine.bars.market import simulate
from factorloom.storage.store import Store, open_store

Command = Callable[..., tuple[int, str, str]]


def test_load_creates_a_store_and_reports(command: Command, tmp_path: Path) -> None:
    bars = simulate(symbols=5, years=1).rename({"close": "Adj Close", "symbol": "ticker"})
    sectors = bars.select("ticker", Sector="sector").unique()
    bars.drop("sector").write_parquet(tmp_path / "bars.parquet")
    sectors.write_csv(tmp_path / "sectors.csv")
    code, out, err = command(
        "load", "us", tmp_path / "bars.parquet", "--symbol", "ticker", "--map.close", "Adj Close",
        "--map.sector", "Sector", "--attributes", tmp_path / "sectors.csv", "--store", tmp_path / "s.duckdb",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert f"us, version 1: {bars.height:,} bars of 5 symbols" in out
    code, out, _ = command("datasets", "--store", tmp_path / "s.duckdb", "--format", "json")
    assert {"close", "sector"} <= set(json.loads(out)[0]["columns"])
    code, out, _ = command(
        "load", "us", tmp_path / "bars.parquet", "--symbol", "ticker", "--map.close", "Adj Close",
        "--store", tmp_path / "s.duckdb", "--format", "json",
    )  # fmt: skip
    report = json.loads(out)
    assert (code, report["unchanged"], report["version"]) == (0, bars.height, 1)


def test_compute_names_filters_and_formats(command: Command, store_path: Path, tmp_path: Path) -> None:
    words = ["compute", "us", "gap=close / open - 1", "cs_rank(close)", "--start", "2025-12-30", "--store", store_path]
    code, out, err = command(*words, "--format", "csv")
    assert (code, err) == (0, "")
    frame = pl.read_csv(io.BytesIO(out.encode()))
    assert frame.columns == ["symbol", "date", "gap", "cs_rank(close)"]
    one = frame["symbol"][0]
    code, out, _ = command(*words, "--symbols", f"{one}, ", "--format", "json")
    assert [row["symbol"] for row in json.loads(out)] == [one, one]
    for form, read in (("parquet", pl.read_parquet), ("arrow", pl.read_ipc)):
        target = tmp_path / f"x.{form}"
        assert command(*words, "--format", form, "-o", target) == (0, "", "")
        assert read(target).equals(frame.with_columns(pl.col("date").str.to_date()))
    code, out, _ = command(*words)
    assert "symbol" in out
    assert one in out


def test_prepare_says_what_is_compiled_and_where(command: Command) -> None:
    code, out, _ = command("prepare", "styles")
    assert code == 0
    assert re.fullmatch(r"\d+ kernels compiled, \d+ loaded from disk; kept in .+\n", out)
    assert command("prepare", "styles")[1].startswith("0 kernels compiled, 0 loaded")
    code, _, err = command("prepare", "stlyes")
    assert code == 2
    assert "styles" in err


def test_score_sql_and_operators(command: Command, store_path: Path, model_file: Path) -> None:
    code, out, err = command("score", "us", model_file, "--store", store_path, "--format", "json")
    assert (code, err) == (0, "")
    best = json.loads(out)[0]
    assert best["rank"] == 1
    query = "select symbol, score, contributions from scores.us order by rank limit 1"
    code, out, _ = command("sql", query, "--store", store_path, "--format", "csv")
    stored = pl.read_csv(io.BytesIO(out.encode())).row(0, named=True)
    assert (stored["symbol"], stored["score"]) == (best["symbol"], best["score"])
    assert json.loads(stored["contributions"])["momentum"] == best["contribution_momentum"]
    code, out, _ = command("operators", "ts_mean")
    assert code == 0
    assert out.startswith("ts_mean(x, window, *, min_samples=None)")
    code, out, _ = command("operators", "--format", "json")
    assert {"cs_rank(x, *, method='percent')", "x + y"} <= {row["operator"] for row in json.loads(out)}


BAD = [
    (["compute", "us", "ts_mean(close, 0)"], "window must be at least 1, got 0"),
    (["compute", "us", "clsoe + 1"], "did you mean 'close'?"),
    (["compute", "us", "close +"], "            ^"),
    (["compute", "us"], "no factor to compute"),
    (["compute", "us", "a=close", "a=open"], "two factors are named 'a'"),
    (["compute", "uss", "close"], "did you mean 'us'?"),
    (["compute", "us", "close", "--symbols", "NOBODY"], "no symbol 'NOBODY'"),
    (["compute", "us", "close", "--start", "yesterday"], "must be a date"),
    (["compute", "us", "close", "--format", "xml"], "format"),
    (["compute", "us", "(" * 9_000 + "close" + ")" * 9_000], "nested too deep"),
    (["load", "us", "nowhere.parquet"], "nowhere.parquet"),
    (["load", "NO SUCH NAME", "pyproject.toml"], "not a valid dataset name"),
    (["score", "us", "nowhere.toml"], "nowhere.toml"),
    (["sql", "select * from bars.nobody"], "nobody"),
    (["sql", "drop table bars.us"], "DROP is refused"),
    (["operators", "ts_maen"], "did you mean 'ts_mean'?"),
    (["no-such-command"], "no-such-command"),
    (["load"], "dataset"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[" ".join(words)[:40] for words, _ in BAD])
def test_bad_requests_get_one_message_and_change_nothing(
    words: list[str], message: str, command: Command, store_path: Path
) -> None:
    with open_store(store_path) as store:
        before = store.datasets()
    placed = [] if words[0] in ("operators", "no-such-command") else ["--store", str(store_path)]
    code, out, err = command(*words, *placed)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    with open_store(store_path) as store:
        assert store.datasets().equals(before)


def test_a_missing_store_is_not_created(command: Command, tmp_path: Path) -> None:
    code, _, err = command("datasets", "--store", tmp_path / "none.duckdb")
    assert code == 2
    assert "factorloom demo" in err
    assert not (tmp_path / "none.duckdb").exists()


def test_the_environment_can_name_the_store(
    command: Command, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTORLOOM_STORE", str(store_path))
    assert command("datasets")[0] == 0


def test_names_of_expressions() -> None:
    assert cli.map_names(["up=close > open", "a==b", "close >= 1", "x = 3"]) == {
        "up": "close > open",
        "a==b": "a==b",
        "close >= 1": "close >= 1",
        "x = 3": "x = 3",
    }


def test_the_demo_prints_results_and_its_next_steps_work(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = command("demo", "--symbols", 80, "--years", 2)
    assert code == 0
    assert "scoring" in err
    assert re.search(r"(\d\d) of \1 factors from the cache, 0 kernels run", out)
    first = next(line for line in out.splitlines() if "100.0%" in line).split()
    assert first[0] == "1"
    assert float(first[1]) > 0
    steps = [line.strip() for line in out.splitlines() if line.startswith("  factorloom ")]
    assert [step.split()[1] for step in steps] == ["compute", "sql", "serve"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for step in steps[:2]:
        result = subprocess.run(["bash", "-c", step], capture_output=True, text=True, env=environment, check=False)
        assert result.returncode == 0, result.stderr
        assert result.stdout
    assert command("demo", "--symbols", 80, "--years", 1)[0] == 0


def test_the_demo_does_not_replace_other_stores(command: Command, store_path: Path) -> None:
    before = files(store_path)
    code, _, err = command("demo", "--store", store_path)
    assert code == 2
    assert "it has us" in err
    assert files(store_path) == before


SMALL = ("--symbols", 30, "--years", 1)


def test_the_demo_replaces_only_what_a_demo_made(command: Command, tmp_path: Path) -> None:
    own, made, link = tmp_path / "own.duckdb", tmp_path / "made", tmp_path / "link.duckdb"
    bars = simulate(symbols=3, years=1).drop("sector")
    with open_store(own) as store:
        store.load("demo", bars)
    assert_refused(command, own)
    assert command("demo", *SMALL, "--store", made)[0] == 0
    link.symlink_to(made)
    assert command("demo", *SMALL, "--store", link)[0] == 0
    assert link.is_symlink()
    with open_store(made) as store:
        store.load("demo", bars.with_columns(close=pl.col("close") + 1))
    assert_refused(command, made)


def files(path: Path) -> dict[str, bytes]:
    """The content of all files of a folder."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def assert_refused(command: Command, path: Path) -> None:
    before = files(path)
    code, _, err = command("demo", *SMALL, "--store", path)
    assert code == 2
    assert f"{path} was not made by the demo, or was changed: it has demo" in err
    assert "--store" in err
    assert files(path) == before


def test_a_demo_that_fails_changes_nothing(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "made"
    assert command("demo", *SMALL, "--store", made)[0] == 0
    before = files(made)
    assert command("demo", "--symbols", 0, "--store", made)[0] == 2
    code, _, err = command("demo", "--store", tmp_path / "nowhere" / "made")
    assert (code, "simulating" in err) == (2, False)
    monkeypatch.setattr(Store, "score", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        command("demo", *SMALL, "--store", made)
    assert files(made) == before
    assert list(tmp_path.iterdir()) == [made]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signals")
def test_a_demo_that_is_killed_changes_nothing(command: Command, tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert command("demo", *SMALL, "--store", made)[0] == 0
    before = files(made)
    for number, code in ((signal.SIGTERM, cli.INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)):
        assert kill_demo(made, number) == code
        assert files(made) == before
        assert (list(tmp_path.iterdir()) == [made]) == (number == signal.SIGTERM)
    assert command("demo", *SMALL, "--store", made)[0] == 0
    assert list(tmp_path.iterdir()) == [made], "the next demo removes the leftovers of a killed one"


def kill_demo(path: Path, number: signal.Signals) -> int:
    """Kill a large demo while it simulates; returns its exit code."""
    words = [sys.executable, "-m", "factorloom", "demo", "--symbols", "2000", "--years", "20", "--store", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "simulating" in process.stderr.readline()
        process.send_signal(number)
        return process.wait()


@pytest.mark.parametrize(
    ("taken", "host"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "::1"), ("0.0.0.0", "::")],
)
@pytest.mark.parametrize("shared", [False, True])
def test_a_port_in_use_is_refused(
    command: Command, store_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str, host: str, shared: bool
) -> None:
    """Also if the other program, like our server, allows sharing of its port."""
    monkeypatch.setattr(server, "Granian", None)  # do not serve if the test fails
    if ":" in host:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6")
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.create_server((taken, 0), family=family, reuse_port=shared) as other:
        port = other.getsockname()[1]
        code, _, err = command("serve", "--host", host, "--port", port, "--store", store_path)
    assert code == 2
    shown = f"[{host}]" if ":" in host else host
    assert f"cannot listen on {shown}:{port}: the port is in use" in err
    assert "--port" in err


@pytest.mark.parametrize("words", [("--host", "192.0.2.1"), ("--port", 65_536), ("--port", -1)])
def test_an_invalid_address_is_refused(
    command: Command, store_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...]
) -> None:
    monkeypatch.setattr(server, "Granian", None)
    code, _, err = command("serve", *words, "--store", store_path)
    assert code == 2
    assert "cannot listen on" in err
    assert "Traceback" not in err


def test_a_free_address_is_found() -> None:
    address, port = server.find_address("localhost", 0)
    assert address in ("127.0.0.1", "::1")
    assert port > 0
    assert server.find_address("127.0.0.1", port) == ("127.0.0.1", port)


def test_a_closed_pipe_is_quiet(store_path: Path) -> None:
    program = f"factorloom compute us close --store {store_path} --format csv | head -1"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(["bash", "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout == "symbol,date,close\n"
    assert result.stderr == ""


def test_version_and_help(command: Command) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "factorloom", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("factorloom ")
    code, out, _ = command("--help")
    assert code == 0
    for name in ("demo", "load", "compute", "score", "sql", "serve", "operators", "datasets", "evaluate"):
        assert name in out


def test_binary_formats_hold_the_frame() -> None:
    frame = pl.DataFrame({"x": [1.5, None], "m": [[{"key": "a", "value": 1.0}], None]})
    assert pl.read_parquet(encode(frame, "parquet")).equals(frame)
    assert pl.read_ipc(encode(frame, "arrow")).equals(frame)
    assert "null" in encode(frame, "csv").decode()


STARTS = {"x.csv": "symbol,date,close", "x.JSON": "[{", "x.pq": "PAR1", "x.feather": "ARROW1", "x": "shape"}


@pytest.mark.parametrize(("name", "start"), STARTS.items())
def test_the_format_follows_the_name_of_the_file(
    command: Command, store_path: Path, tmp_path: Path, name: str, start: str
) -> None:
    assert command("compute", "us", "close", "--store", store_path, "-o", tmp_path / name)[0] == 0
    assert (tmp_path / name).read_bytes().startswith(start.encode())
    assert command("compute", "us", "close", "--store", store_path, "--format", "csv", "-o", tmp_path / name)[0] == 0
    assert (tmp_path / name).read_bytes().startswith(b"symbol,date,close")
