"""The benchmark of scoring end to end on tiny bars; peers give the same scores."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

import factorloom as fl
from factorloom.api.cli.command import run as command
from factorloom.bench.scoring.fresh import Turn, ask, model_of, values_of
from factorloom.bench.scoring.options import Options
from factorloom.bench.scoring.peer import PEERS
from factorloom.bench.scoring.run import Report


def test_the_command_measures_shows_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    sizes = ["--symbols", "20", "--bars", "80", "--factors", "3", "--wide", "40", "--repeats", "2"]
    assert command(["bench", "scoring", *sizes, "--output", str(file)]) == 0
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert [title.partition(":")[0] for title in report.parts] == ["one date", "cold", "wide date", "all dates"]
    for figures in report.parts.values():
        assert all(each.value > 0 for each in figures), [each.note for each in figures]
    assert "wide date: 40 symbols, 3 factors" in capsys.readouterr().out


@pytest.mark.parametrize("name", list(PEERS))
def test_peers_score_alike(name: str) -> None:
    values = values_of(300, 5)
    columns = [f"f{place}" for place in range(5)]
    mine = fl.score(fl.Panel.from_frame(values), model_of(columns))["score"]
    theirs = PEERS[name](values, columns)()
    np.testing.assert_allclose(theirs.to_numpy(), mine.to_numpy(), rtol=0, atol=1e-12)


def test_a_step_that_fails_is_reported() -> None:
    assert ask(Turn(step="one date", options=Options(symbols=-1))).error
