"""A report as tables to read."""

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
    console.print(f"{report.machine}\n{options.market}, {options.threads} threads", markup=False)
    for table in _tables(report):
        console.print(table)


def _tables(report: Report) -> Iterator[Table]:
    for name, results in report.sets.items():
        yield _set(name, results)
    if report.operators:
        yield _operators(report.operators)
    if report.start:
        yield _start(report.start)
    for name, sizes in report.scaling.items():
        yield _scaling(name, sizes)


def _set(name: str, results: Mapping[str, Result]) -> Table:
    ours = results[OURS]
    seconds = ("load s", "first s", "warm s")
    table = _table(name, "engine", "rows", "factors", *seconds, "M cells/s", "peak GB", "ours / theirs", "equal")
    for engine, result in results.items():
        timing = result.together
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
            f"{_rate(ours) / _rate(result):.1f}" if ours.together else "",
            _equal(result),
        )
    table.caption = "; ".join(_told(results))
    return table


def _told(results: Mapping[str, Result]) -> Iterator[str]:
    """What engines tell about themselves, and how far ahead of the best peer we are."""
    for engine, result in results.items():
        parts = {name: f"{seconds:.3g} s" for name, seconds in result.parts.items()}
        if engine == OURS and result.together:
            first, warm = result.together.first, result.together.warm
            parts |= {"compile": f"{first - warm:.3g} s", "compute": f"{warm - result.parts['plan']:.3g} s"}
        told = [*(f"{name} {seconds}" for name, seconds in parts.items()), *filter(None, [result.note])]
        if told:
            yield f"{engine}: {', '.join(told)}"
    rates = {engine: _rate(result) for engine, result in results.items() if result.together}
    ours = rates.pop(OURS, None)
    if ours and rates:
        best = max(rates, key=rates.__getitem__)
        yield f"best peer: {best}; ours is {ours / rates[best]:.1f} times as fast, value for value"


def _operators(results: Mapping[str, Result]) -> Table:
    ours, polars = results[OURS], results.get("polars", Result())
    table = _table("operators", "operator", "ms", "Polars ms", "Polars / ours", "ours / copy", "equal")
    for result in filter(lambda result: result.error, results.values()):
        table.add_row(result.error)
    for name, timing in ours.singly.items():
        cells = [name, f"{timing.warm * 1e3:.1f}", "", "", f"{timing.warm / ours.copy:.1f}", ""]
        if name in polars.singly:
            theirs = polars.singly[name].warm
            cells[2:4] = f"{theirs * 1e3:.1f}", f"{theirs / timing.warm:.1f}"
            cells[5] = _yes(polars.agreement[name])
        table.add_row(*cells)
    table.caption = f"{ours.rows:,} rows; copying one column takes {ours.copy * 1e3:.1f} ms"
    return table


def _start(results: Mapping[str, Result]) -> Table:
    table = _table("from the start of a process", "kernels", "rows", "to the first result s", "of which computing s")
    for name, result in results.items():
        if result.together:
            row = (f"{result.rows:,}", f"{result.started:.3g}", f"{result.together.first:.3g}")
            table.add_row("compiled" if name == "cold" else "on disk", *row)
        else:
            table.add_row(name, result.error)
    return table


def _scaling(name: str, results: Mapping[int, Result]) -> Table:
    table = _table(f"scaling over {name}", name, "warm s", "M cells/s", "peak GB")
    for size, result in results.items():
        if result.together:
            table.add_row(
                f"{size:,}", f"{result.together.warm:.3g}", f"{_rate(result):.1f}", f"{result.peak / 1e9:.1f}"
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
    """Million values a second."""
    assert result.together is not None
    return result.rows * result.factors / result.together.warm / 1e6


def _yes(agreement: Agreement) -> str:
    """Nothing where nothing could be compared."""
    return "" if agreement.difference is None else "yes" if agreement.equal else "no"


def _equal(result: Result) -> str:
    equal = sum(agreement.equal for agreement in result.agreement.values())
    return f"{equal} of {len(result.agreement)}" if result.agreement else ""
