"""The benchmark end to end on tiny markets."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from factorloom.api.cli.command import run as command
from factorloom.bench import engine, job
from factorloom.bench.engine import Options, Report, run
from factorloom.bench.job import Job, Result, measure
from factorloom.bench.market import Market
from factorloom.expressions.errors import ArgumentError

TINY = Market(symbols=20, bars=100)


def test_the_command_measures_shows_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    sizes = ["--symbols", "20", "--bars", "100", "--dense", "--repeats", "1", "--threads", "1"]
    only = ["--set", "alpha101", "--peers", "none", "--no-operators", "--no-scaling", "--output", str(file)]
    assert command(["bench", "engine", *sizes, *only]) == 0
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    result = report.sets["alpha101"]["factorloom"]
    assert (result.rows, result.factors, result.error) == (2000, 101, "")
    assert result.together and 0 < result.together.warm <= result.together.first < result.started
    assert report.machine.versions["polars"]
    assert str(Path.home()) not in file.read_text()
    shown = capsys.readouterr().out
    assert "alpha101" in shown and "2,000" in shown


def test_what_is_asked_for_becomes_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []

    def note(job: Job, cache: Path | None = None) -> Result:
        jobs.append(job)
        return Result(rows=job.market.symbols * job.market.bars, factors=job.factors or 158)

    monkeypatch.setattr(engine, "measure", note)
    report = run(Options(market=Market(4000, 2520), threads=2))
    assert set(report.sets["alpha101"]) == {"factorloom", "qweave", "kunquant", "polars-ta"}
    assert set(report.sets["gtja191"]) == {"factorloom", "qweave"}
    assert set(report.operators) == {"factorloom", "polars"}
    assert list(report.scaling["rows"]) == [630_000, 2_520_000, 10_080_000]
    assert list(report.scaling["factors"]) == [20, 60, 158]
    assert list(report.scaling["threads"]) == [1, 2]
    assert [job.market for job in jobs if job.repeats == 1] == [Market(500, 1260)] * 2
    assert len(jobs) == len(set(jobs)) + 1, "only the fresh processes are started twice"


@pytest.mark.parametrize("wrong", [{"set": "none"}, {"set": "operators"}, {"peers": "qweave,pandas"}], ids=str)
def test_an_unknown_name_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ArgumentError, match="must be all or some of"):
        run(Options(market=TINY, **wrong))  # type: ignore[arg-type]


def test_what_is_not_installed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "installed", lambda name: False)
    assert measure(Job(engine="qweave", set="alpha158", market=TINY)).error == "not installed"


def test_what_fails_is_reported() -> None:
    error = measure(Job(engine="polars", set="alpha101", market=TINY)).error
    assert error == "polars has none of these factors"


def test_what_takes_too_much_memory_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MEMORY", 1e6)
    assert measure(Job(engine="polars", set="operators", market=TINY, singly=True)).error.startswith("took more than")


def test_polars_gives_the_same_values_for_every_operator_it_has() -> None:
    result = measure(Job(engine="polars", set="operators", market=TINY, singly=True, check=True, repeats=1))
    assert result.error == ""
    compared = {name: found for name, found in result.agreement.items() if found.difference is not None}
    assert len(compared) >= 30
    assert [name for name, found in compared.items() if not found.equal] == []
