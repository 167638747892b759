"""A report as printed tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from factorloom.bench.agreement import Agreement
from factorloom.bench.engine import Report
from factorloom.bench.job import Result
from factorloom.bench.peer import OURS

__all__ = ["show"]

WIDTH = 120


def show(report: Report) -> None:
    """Print a report on stdout."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    options = report.options
    console.print(f"{report.machine}\n{options.workload}, {options.threads} threads", markup=False)
    for table in _tables(report):
        console.print(table)


def _tables(report: Report) -> Iterator[Table]:
    for name, results in report.sets.items():
        yield _set(name, results)
    if report.operators:
        yield _operators(report.operators)
    if report.startup:
        yield _startup(report.startup)
    for name, sizes in report.scaling.items():
        yield _scaling(name, sizes)


def _set(name: str, results: Mapping[str, Result]) -> Table:
    ours = results[OURS]
    seconds = ("load s", "first s", "warm s")
    table = _table(name, "engine", "rows", "factors", *seconds, "M cells/s", "peak GB", "ours / theirs", "equal")
    for engine, result in results.items():
        timing = result.all_factors
        if timing is None:
            table.add_row(engine, result.error)
            continue
        table.add_row(
            engine,
            f"{result.rows:,}",
            f"{result.factors}",
            f"{result.load:.3g}",
            f"{timing.first:.3g}",
            f"{timing.warm:.3g}",
            f"{_rate(result):.1f}",
            f"{result.peak / 1e9:.1f}",
            f"{_rate(ours) / _rate(result):.1f}" if ours.all_factors else "",
            _equal(result),
        )
    table.caption = "; ".join(_notes(results))
    return table


def _notes(results: Mapping[str, Result]) -> Iterator[str]:
    """The phases and the note of each engine, and our speed relative to the best other engine."""
    for engine, result in results.items():
        phases = {name: f"{seconds:.3g} s" for name, seconds in result.phases.items()}
        if engine == OURS and result.all_factors:
            first, warm = result.all_factors.first, result.all_factors.warm
            phases |= {"compile": f"{first - warm:.3g} s", "compute": f"{warm - result.phases['plan']:.3g} s"}
        notes = [*(f"{name} {seconds}" for name, seconds in phases.items()), *filter(None, [result.note])]
        if notes:
            yield f"{engine}: {', '.join(notes)}"
    rates = {engine: _rate(result) for engine, result in results.items() if result.all_factors}
    ours = rates.pop(OURS, None)
    if ours and rates:
        best = max(rates, key=rates.__getitem__)
        yield f"best other engine: {best}; {OURS} computes {ours / rates[best]:.1f} times as many values per second"


def _operators(results: Mapping[str, Result]) -> Table:
    ours, polars = results[OURS], results.get("polars", Result())
    table = _table("operators", "operator", "ms", "Polars ms", "Polars / ours", "ours / copy", "equal")
    for result in filter(lambda result: result.error, results.values()):
        table.add_row(result.error)
    for name, timing in ours.each_factor.items():
        cells = [name, f"{timing.warm * 1e3:.1f}", "", "", f"{timing.warm / ours.copy:.1f}", ""]
        if name in polars.each_factor:
            theirs = polars.each_factor[name].warm
            cells[2:4] = f"{theirs * 1e3:.1f}", f"{theirs / timing.warm:.1f}"
            cells[5] = _yes(polars.agreement[name])
        table.add_row(*cells)
    table.caption = f"{ours.rows:,} rows; copying one column takes {ours.copy * 1e3:.1f} ms"
    return table


def _startup(results: Mapping[str, Result]) -> Table:
    table = _table("first result of a new process", "of", "rows", "to first result s", "of which computing s")
    for name, result in results.items():
        if result.all_factors:
            row = (f"{result.rows:,}", f"{result.startup:.3g}", f"{result.all_factors.first:.3g}")
            table.add_row(name, *row)
        else:
            table.add_row(name, result.error)
    return table


def _scaling(name: str, results: Mapping[int, Result]) -> Table:
    table = _table(f"scaling over {name}", name, "warm s", "M cells/s", "peak GB")
    for size, result in results.items():
        if result.all_factors:
            table.add_row(
                f"{size:,}", f"{result.all_factors.warm:.3g}", f"{_rate(result):.1f}", f"{result.peak / 1e9:.1f}"
            )
        else:
            table.add_row(f"{size:,}", result.error)
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", caption_justify="left", pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _rate(result: Result) -> float:
    """Million values per second."""
    assert result.all_factors is not None
    return result.rows * result.factors / result.all_factors.warm / 1e6


def _yes(agreement: Agreement) -> str:
    """An empty cell if no value could be compared."""
    return "" if agreement.difference is None else "yes" if agreement.equal else "no"


def _equal(result: Result) -> str:
    equal = sum(agreement.equal for agreement in result.agreement.values())
    return f"{equal} of {len(result.agreement)}" if result.agreement else ""
