"""The commands of `factorloom bench`, also run by `python -m factorloom.bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from factorloom.api.cli.option import OutputPath

__all__ = ["app"]

if TYPE_CHECKING:
    from collections.abc import Callable

app = App(name="bench", help="Time Factorloom and the other engines that are installed.", help_format="plaintext")


@app.command
def engine(
    *,
    symbols: int = 4000,
    bars: int = 2520,
    ragged: Annotated[bool, Parameter(negative="--dense")] = True,
    threads: int = 2,
    repeats: int = 3,
    set: str = "all",
    peers: str = "all",
    operators: Annotated[bool, Parameter(negative="--no-operators")] = True,
    scaling: Annotated[bool, Parameter(negative="--no-scaling")] = True,
    output: OutputPath = None,
) -> None:
    """Time factor sets, single operators, workloads of other sizes, and first results.

    Parameters
    ----------
    symbols, bars
        The size of the simulated workload.
    ragged
        Whether symbols list late, are delisted early and miss dates.
    threads
        The number of threads of every engine.
    repeats
        Timed runs after the first; the median is reported.
    set
        all, or some of alpha158,alpha101,gtja191.
    peers
        Other engines: all, none, or some of qweave,kunquant,polars-ta,polars.
    operators
        Whether to time every operator.
    scaling
        Whether to time other numbers of rows, factors and threads, and the first result of new processes.
    output
        A JSON file, or - for stdout, for all results.
    """
    from factorloom.api.cli.output import check_target
    from factorloom.bench.engine import Options, run
    from factorloom.bench.table import show
    from factorloom.bench.workload import Workload

    options = Options(
        workload=Workload(symbols, bars, ragged),
        threads=threads,
        repeats=repeats,
        set=set,
        peers=peers,
        operators=operators,
        scaling=scaling,
    )
    check_target(output)
    report = run(options, _log())
    show(report)
    _write(report, output)


@app.command
def store(
    *,
    symbols: int = 4000,
    bars: int = 2520,
    ragged: Annotated[bool, Parameter(negative="--dense")] = True,
    factors: int | None = None,
    repeats: int = 3,
    days: int = 2520,
    minutes: float = 5.0,
    part: str = "all",
    folder: Path | None = None,
    output: OutputPath = None,
) -> None:
    """Time what a store costs and saves: storing, reading, appending, restating, versions, and many readers.

    Parameters
    ----------
    symbols, bars
        The size of the simulated workload.
    ragged
        Whether symbols list late, are delisted early and miss dates.
    factors
        How many of the 158 factors of Alpha158, by default all.
    repeats
        How often what can be repeated is measured; the median is reported.
    days
        How many daily appends precede a full read.
    minutes
        How long four processes read beside one that writes.
    part
        all, or some of storing,append,daily,restate,as-of,day,readers.
    folder
        Where the stores lie meanwhile, by default the folder of the system for temporary files.
    output
        A JSON file, or - for stdout, for all figures.
    """
    from factorloom.api.cli.output import check_target
    from factorloom.bench.store.options import Options
    from factorloom.bench.store.run import run
    from factorloom.bench.store.show import show
    from factorloom.bench.workload import Workload

    options = Options(
        workload=Workload(symbols, bars, ragged),
        factors=factors,
        repeats=repeats,
        days=days,
        minutes=minutes,
        part=part,
        folder=None if folder is None else str(folder),
    )
    check_target(output)
    report = run(options, _log(), show)
    print(report.machine)
    _write(report, output)


@app.command
def evaluate(
    *,
    factors: str = "20,158",
    horizons: str = "1,5,21",
    quantiles: int = 5,
    repeats: int = 3,
    rounds: int = 2,
    peers: str = "qweave",
    data: Path | None = None,
    symbols: int = 505,
    bars: int = 1259,
    output: OutputPath = None,
) -> None:
    """Time evaluations of factors: labels, summary, all tables, and the report, beside other libraries.

    Parameters
    ----------
    factors
        Numbers of factors of Alpha158, separated by commas.
    horizons
        Of the labels, in market dates, separated by commas.
    quantiles
        Into how many parts the names of a date are cut.
    repeats
        Timed runs after the first in each process.
    rounds
        How often the engines take turns, each in a new process; medians of all runs are reported.
    peers
        Other libraries: all, none, or some of qweave,alphalens.
    data
        A folder with prices/sp500_2013_2018.parquet, by default $FACTORLOOM_DATA; bars are simulated without it.
    symbols, bars
        The size of simulated bars.
    output
        A JSON file, or - for stdout, for all figures.
    """
    import os

    from factorloom.api.cli.output import check_target
    from factorloom.bench.evaluate.options import Options
    from factorloom.bench.evaluate.run import run, whole_numbers
    from factorloom.bench.store.show import show

    folder = os.environ.get("FACTORLOOM_DATA") if data is None else str(data)
    options = Options(
        factors=whole_numbers("factors", factors),
        horizons=whole_numbers("horizons", horizons),
        quantiles=quantiles,
        repeats=repeats,
        rounds=rounds,
        peers=peers,
        data=folder,
        symbols=symbols,
        bars=bars,
    )
    check_target(output)
    report = run(options, _log())
    for title, figures in report.parts.items():
        show(title, figures)
    print(report.machine)
    _write(report, output)


@app.command
def scoring(
    *,
    symbols: int = 4000,
    bars: int = 2520,
    factors: int = 20,
    wide: int = 50_000,
    repeats: int = 15,
    output: OutputPath = None,
) -> None:
    """Time scoring: one date, in a new process too, a wide date, and all dates, beside pandas and plain Polars.

    Parameters
    ----------
    symbols, bars
        The size of the simulated bars.
    factors
        Factors of the model.
    wide
        The symbols of the wide date.
    repeats
        Timed runs after the first, in which engines take turns; medians are reported.
    output
        A JSON file, or - for stdout, for all figures.
    """
    from factorloom.api.cli.output import check_target
    from factorloom.bench.scoring.options import Options
    from factorloom.bench.scoring.run import run
    from factorloom.bench.store.show import show

    check_target(output)
    report = run(Options(symbols=symbols, bars=bars, factors=factors, wide=wide, repeats=repeats), _log())
    for title, figures in report.parts.items():
        show(title, figures)
    print(report.machine)
    _write(report, output)


@app.command
def differences(*, output: OutputPath = None) -> None:
    """Write a Markdown page of the published formulas for which other engines give other values, and why.

    Parameters
    ----------
    output
        A file, or - for stdout.
    """
    from factorloom.api.cli.output import check_target, write_bytes
    from factorloom.bench.difference.page import page

    check_target(output)
    write_bytes(page().encode(), output)


def _log() -> Callable[[str], None]:
    """What writes a line on what is measured to stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, style="dim").print


def _write(report: Any, output: Path | None) -> None:
    """Write all figures to the file that is asked for."""
    import msgspec

    from factorloom.api.cli.output import write_bytes

    if output is not None:
        write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n", output)
