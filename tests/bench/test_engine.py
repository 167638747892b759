"""The benchmark end to end on tiny workloads."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from factorloom.api.cli.command import run as command
from factorloom.bench import engine, job
from factorloom.bench.engine import Options, Report, run
from factorloom.bench.job import Job, Result, measure
from factorloom.bench.workload import Workload
from factorloom.expressions.errors import ArgumentError

TINY = Workload(symbols=20, bars=100)
RESULTS = sorted((Path(__file__).parents[2] / "bench" / "results").glob("*.json"))


def test_the_command_measures_shows_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    sizes = ["--symbols", "20", "--bars", "100", "--dense", "--repeats", "1", "--threads", "1"]
    only = ["--set", "alpha101", "--peers", "none", "--no-operators", "--no-scaling", "--output", str(file)]
    assert command(["bench", "engine", *sizes, *only]) == 0
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    result = report.sets["alpha101"]["factorloom"]
    assert (result.rows, result.factors, result.error) == (2000, 101, "")
    assert result.all_factors and 0 < result.all_factors.warm <= result.all_factors.first < result.startup
    assert report.machine.versions["polars"]
    assert str(Path.home()) not in file.read_text()
    shown = capsys.readouterr().out
    assert "alpha101" in shown and "2,000" in shown


def test_the_options_select_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []

    def record(job: Job, cache: Path | None = None) -> Result:
        jobs.append(job)
        return Result(rows=job.workload.symbols * job.workload.bars, factors=job.factors or 158)

    monkeypatch.setattr(engine, "measure", record)
    report = run(Options(workload=Workload(4000, 2520), threads=2))
    assert set(report.sets["alpha101"]) == {"factorloom", "qweave", "kunquant", "polars-ta"}
    assert set(report.sets["gtja191"]) == {"factorloom", "qweave"}
    assert set(report.operators) == {"factorloom", "polars"}
    assert list(report.scaling["rows"]) == [630_000, 2_520_000, 10_080_000]
    assert list(report.scaling["factors"]) == [20, 60, 158]
    assert list(report.scaling["threads"]) == [1, 2]
    first = [job for job in jobs if job.repeats == 1]
    assert {job.workload for job in first} == {Workload(50, 250), Workload(500, 1260)}
    assert {job.set for job in first} == {"column", "rank", "styles", "alpha158", "alpha101", "gtja191"}
    assert [job.engine for job in first if job.set == "gtja191"] == 2 * ["factorloom", "factorloom", "qweave"]
    assert len(jobs) == len(set(jobs)) + 12, "only first results of ours are timed twice"


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_stored_results_are_complete_reports(path: Path) -> None:
    report = msgspec.json.decode(path.read_bytes(), type=Report)
    assert json.loads(msgspec.json.encode(report)) == json.loads(path.read_bytes())


@pytest.mark.parametrize("wrong", [{"set": "none"}, {"set": "operators"}, {"peers": "qweave,pandas"}], ids=str)
def test_an_unknown_name_is_rejected(wrong: dict[str, str]) -> None:
    with pytest.raises(ArgumentError, match="must be all or some of"):
        run(Options(workload=TINY, **wrong))  # type: ignore[arg-type]


def test_an_engine_that_is_not_installed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "is_installed", lambda name: False)
    assert measure(Job(engine="qweave", set="alpha158", workload=TINY)).error == "not installed"


def test_a_failed_job_is_reported() -> None:
    error = measure(Job(engine="polars", set="alpha101", workload=TINY)).error
    assert error == "polars supports none of these factors"


def test_a_process_over_the_memory_limit_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MEMORY_LIMIT", 1e6)
    assert measure(Job(engine="polars", set="operators", workload=TINY, each_factor=True)).error.startswith(
        "took more than"
    )


def test_polars_gives_the_same_values_for_every_operator_that_it_supports() -> None:
    result = measure(Job(engine="polars", set="operators", workload=TINY, each_factor=True, check=True, repeats=1))
    assert result.error == ""
    compared = {name: each for name, each in result.agreement.items() if each.difference is not None}
    assert len(compared) >= 30
    assert [name for name, each in compared.items() if not each.equal] == []
