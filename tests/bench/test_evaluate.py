"""The benchmark of evaluations end to end on tiny bars."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from factorloom.api.cli.command import run as command
from factorloom.bench.evaluate import fresh
from factorloom.bench.evaluate import run as turns
from factorloom.bench.evaluate.fresh import Turn, ask
from factorloom.bench.evaluate.given import bars_of, file_of
from factorloom.bench.evaluate.options import Options
from factorloom.bench.evaluate.run import Report, run, whole_numbers
from factorloom.expressions.errors import ArgumentError

TINY = Options(factors=(2,), horizons=(1, 3), repeats=1, rounds=1, symbols=12, bars=120, peers="none")


def test_the_command_measures_shows_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FACTORLOOM_DATA", raising=False)
    file = tmp_path / "results.json"
    sizes = ["--factors", "2", "--horizons", "1,3", "--symbols", "12", "--bars", "120", "--repeats", "1"]
    assert command(["bench", "evaluate", *sizes, "--rounds", "1", "--peers", "none", "--output", str(file)]) == 0
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    ((title, figures),) = report.parts.items()
    assert title == "2 factors, horizons 1, 3, on simulated bars"
    found = {each.what: each for each in figures}
    steps = ["summary", "from bars", "all tables", "report"]
    assert [what for what in found if "," not in what] == [f"factorloom: {step}" for step in steps]
    assert all(each.value > 0 for each in figures), [each.note for each in figures]
    assert title in capsys.readouterr().out


def test_the_other_library_stands_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("qweave", reason="qweave is not installed")
    monkeypatch.setattr(turns, "STEPS", ("summary",))
    (figures,) = run(msgspec.structs.replace(TINY, peers="qweave")).parts.values()
    found = {each.what: each for each in figures}
    assert found["qweave: summary"].value > 0, found["qweave: summary"].note
    assert found["qweave by factorloom, wall"].ratio and found["qweave by factorloom, CPU"].at_least


def test_a_library_that_is_not_installed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "find_spec", lambda name: None)
    assert ask(Turn(engine="qweave", factors=1, step="summary", options=TINY)).error == "not installed"


def test_a_turn_that_fails_is_reported() -> None:
    assert "KeyError" in ask(Turn(engine="factorloom", factors=1, step="nothing", options=TINY)).error


def test_bars_are_simulated_without_the_file(tmp_path: Path) -> None:
    options = msgspec.structs.replace(TINY, data=str(tmp_path))
    assert file_of(options) is None
    assert bars_of(options).height == 12 * 120


def test_numbers_are_checked() -> None:
    assert whole_numbers("horizons", "1,5,21") == (1, 5, 21)
    with pytest.raises(ArgumentError, match="horizons must be whole numbers"):
        whole_numbers("horizons", "1,x")
    with pytest.raises(ArgumentError, match="peers must be all, none or some of qweave, alphalens"):
        run(msgspec.structs.replace(TINY, peers="pandas"))
