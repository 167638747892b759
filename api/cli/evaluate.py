"""`factorloom evaluate`: what factors say about the returns that follow, as text, tables or a report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter

from factorloom.api.cli.option import OutputOption, ReadOption, StoreOption, map_names, split, version_of
from factorloom.expressions.errors import ArgumentError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from factorloom.engine.research.evaluation.evaluation import Evaluation
    from factorloom.engine.research.evaluation.setting import EvaluationOptions
    from factorloom.expressions.factor import Factor
    from factorloom.storage.store import Store

__all__ = ["evaluate"]

Table: TypeAlias = Literal[
    "summary", "ic", "ic_by_group", "ic_by_year", "ic_decay", "quantile_returns", "quantile_returns_by_date",
    "long_short", "turnover", "autocorrelation", "coverage", "correlation", "alpha_beta", "tails", "events", "dropped",
    "health",
]  # fmt: skip

PAGES = (".html", ".htm")


def evaluate(
    source: str,
    *factors: str,
    library: Annotated[tuple[str, ...], Parameter(consume_multiple=False)] = (),
    horizons: str = "1,5,21",
    quantiles: int = 5,
    group: str | None = None,
    universe: str | None = None,
    price: str = "close",
    entry_lag: int = 1,
    costs_bps: float = 0,
    start: str | None = None,
    end: str | None = None,
    halted: Annotated[str, Parameter(allow_leading_hyphen=True)] = "last",
    weights: str | None = None,
    neutral: bool = False,
    log: bool = False,
    excess: str | None = None,
    as_of: str | None = None,
    table: Table | None = None,
    read: ReadOption = ReadOption(),
    store_option: StoreOption = StoreOption(),
    output_option: OutputOption = OutputOption(),
) -> None:
    """Evaluate factors by the returns that follow: a summary with what to distrust, any table, or a report.

    Parameters
    ----------
    source
        Name of a dataset in the store; or a file of bars, a folder or a pattern of files, such as bars.parquet.
    factors
        Expressions, optionally with names: 'momentum=ts_pct_change(close, 20)'; by default those saved in the store.
    library
        Also the factors of a library that the columns allow; may be repeated.
    horizons
        Market dates from entry to exit, separated by commas.
    quantiles
        Into how many parts the names of a date are cut.
    group
        A column of categories, such as the sector.
    universe
        A universe of the store; with a file of bars a column or an expression.
    price
        The column that returns are made from.
    entry_lag
        Market dates from a date to the entry.
    costs_bps
        Costs of a trade, in hundredths of a percent.
    start
        First date.
    end
        Last date, included.
    halted
        The return of a symbol without a price at the exit: last, missing, or a number such as -0.3.
    weights
        A column or an expression: weights of the names in a quantile.
    neutral
        Form quantiles in each group, and take returns less those of the group.
    log
        Correlate with logarithms of returns; portfolios earn simple returns all the same.
    excess
        What is taken off returns: market, a column of categories, or the level of a benchmark.
    as_of
        A version, or a time in UTC: the dataset as it was known then.
    table
        Write this table, whole, instead of the summary.
    """
    options: EvaluationOptions = {
        "horizons": _horizons(horizons),
        "quantiles": quantiles,
        "group": group,
        "price": price,
        "entry_lag": entry_lag,
        "costs_bps": costs_bps,
        "start": start,
        "end": end,
        "halted": _halted(halted),
        "weights": weights,
        "neutral": neutral,
        "log": log,
        "excess": excess,
    }
    output = output_option.output
    report = output is not None and output_option.format is None and output.suffix.lower() in PAGES
    if report and table is not None:
        raise ArgumentError("a report has all tables", hint="leave --table out, or write it to a file such as ic.csv")
    if not report:
        _ = output_option.chosen  # refuses an ending that stands for no format, before any work
    output_option.check()
    named = _parsed(factors)
    if _is_dataset(source):
        if read != ReadOption():
            raise ArgumentError("options that say how files are read need a file of bars, not a dataset")
        with store_option.open() as store:
            found = _of_store(store, source, named, library, universe, version_of(as_of), options)
            _write(
                found, source, table, output_option, report=report
            )  # tables that are computed only now need the store
    else:
        if as_of is not None:
            raise ArgumentError("as_of is for datasets of a store, not for a file of bars")
        found = _of_file(source, read, named, library, universe, options)
        _write(found, Path(source).stem, table, output_option, report=report)


def _of_store(
    store: Store,
    dataset: str,
    factors: dict[str, Factor],
    libraries: Sequence[str],
    universe: str | None,
    as_of: int | str | None,
    options: EvaluationOptions,
) -> Evaluation:
    if libraries:
        factors = _with_libraries(factors, libraries, store.panel(dataset, as_of=as_of).columns)
    return store.evaluate(dataset, factors or None, universe=universe, as_of=as_of, **options)


def _of_file(
    source: str,
    read: ReadOption,
    factors: dict[str, Factor],
    libraries: Sequence[str],
    universe: str | None,
    options: EvaluationOptions,
) -> Evaluation:
    from factorloom.engine.panel import Panel
    from factorloom.engine.research.evaluation.evaluate import evaluate

    panel = Panel.from_frame(source, **read.options())
    wanted = _with_libraries(factors, libraries, panel.columns)
    if not wanted:
        raise ArgumentError(
            "no factor to evaluate", hint=f"give an expression: factorloom evaluate {source} 'ts_pct_change(close, 5)'"
        )
    return evaluate(panel, wanted, universe=universe, **options)


def _write(found: Evaluation, title: str, table: Table | None, output_option: OutputOption, *, report: bool) -> None:
    """The report beside the summary on stdout; otherwise one of the two, or a table, where it was asked for."""
    from factorloom.api.cli.output import write_bytes
    from factorloom.api.verb.evaluation import summary_text
    from factorloom.api.verb.evaluation import table as table_of
    from factorloom.engine.research.report import page

    if report:
        write_bytes(page(found, title).encode(), output_option.output)
        write_bytes(summary_text(found).encode(), None)
    elif table is None and output_option.chosen == "table":
        write_bytes(summary_text(found).encode(), output_option.output)
    else:
        output_option.write(table_of(found, table or "summary"))


def _is_dataset(source: str) -> bool:
    """Whether a text can be the name of a dataset; a file has an ending, a folder a separator."""
    return not any(sign in source for sign in "./\\*?[")


def _parsed(factors: Sequence[str]) -> dict[str, Factor]:
    from factorloom.expressions.parse import parse

    return {name: parse(text) for name, text in map_names(factors).items()}


def _with_libraries(
    factors: dict[str, Factor], libraries: Sequence[str], columns: Collection[str]
) -> dict[str, Factor]:
    """The factors, and those of libraries that the columns allow; says which do not."""
    from factorloom.api.verb.library import find

    result = dict(factors)
    for name in libraries:
        whole = find(name)
        lacking = whole.lacking(columns)
        if lacking:
            needed = ", ".join(sorted({column for each in lacking.values() for column in each}))
            sys.stderr.write(f"factorloom: {len(lacking)} of {len(whole)} factors of {name} left out: no {needed}\n")
        for key, factor in whole.available(columns).items():
            if key in result:
                raise ArgumentError(f"two factors are named {key!r}", hint=f"one is of the library {name}")
            result[key] = factor
    return result


def _horizons(text: str) -> tuple[int, ...]:
    parts = split(text)
    if not all(part.removeprefix("-").isdecimal() for part in parts):
        raise ParameterError(f"horizons must be whole numbers, got {text!r}", hint="for example --horizons 1,5,21")
    return tuple(map(int, parts))


def _halted(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
