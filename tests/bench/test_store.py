"""The benchmark of the store end to end on a tiny workload."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from factorloom.api.cli.command import run as command
from factorloom.bench.store import readers
from factorloom.bench.store.figure import Figure
from factorloom.bench.store.options import Options
from factorloom.bench.store.run import PARTS, Report, run
from factorloom.bench.workload import Workload
from factorloom.expressions.errors import ArgumentError


@pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning")  # ArcticDB with a newer pandas
def test_the_command_measures_shows_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "READERS", 2)
    file = tmp_path / "results.json"
    sizes = ["--symbols", "16", "--bars", "70", "--factors", "6", "--repeats", "1", "--days", "4", "--minutes", "0.02"]
    assert command(["bench", "store", *sizes, "--folder", str(tmp_path), "--output", str(file)]) == 0
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert list(report.parts) == list(PARTS)
    assert all(figures for figures in report.parts.values())
    exact = {each.what: each for figures in report.parts.values() for each in figures if each.limit == 0}
    assert len(exact) == 3
    assert {name: each.value for name, each in exact.items() if not each.kept} == {}
    shown = capsys.readouterr().out
    assert "storing and reading" in shown and "answers unequal" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"], "nothing is left behind"


def test_a_part_is_chosen(tmp_path: Path) -> None:
    done: list[str] = []
    options = Options(workload=Workload(4, 70), factors=2, repeats=1, part="as-of", folder=str(tmp_path))
    report = run(options, done=lambda part, figures: done.append(part))
    assert list(report.parts) == done == ["as-of"]


def test_an_unknown_part_is_rejected() -> None:
    with pytest.raises(ArgumentError, match="part must be all or some of storing"):
        run(Options(workload=Workload(4, 70), part="speed"))


def test_a_limit_holds_for_the_ratio_where_there_is_one() -> None:
    assert Figure(what="x", value=9, ratio=1, limit=2).kept is True
    assert Figure(what="x", value=9, limit=2).kept is False
    assert Figure(what="x", value=9, limit=2, at_least=True).kept is True
    assert Figure(what="x", value=9).kept is None
