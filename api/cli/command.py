"""The commands. Data goes to stdout, logs and progress to stderr.

Slow imports are in the commands that need them, so that `--help` is fast.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from factorloom.api.cli.option import (
    OutputOption,
    OutputPath,
    ReadOption,
    SelectionOption,
    StoreOption,
    map_names,
    version_of,
)
from factorloom.expressions.errors import ArgumentError, FactorloomError, PromiseError

__all__ = ["main"]

app = App(
    name="factorloom",
    help="Equity factors, from prices to served scores.",
    version=lambda: f"factorloom {version('factorloom')}",
    default_parameter=Parameter(negative=()),
    help_format="plaintext",
)
app.command("factorloom.api.cli.upkeep:app", name="store", help="Check, copy, and tidy a store.")
app.command(
    "factorloom.api.cli.evaluate:evaluate",
    name="evaluate",
    help="Evaluate factors by the returns that follow: a summary, any table, or a report.",
)
for verb, meaning in (
    ("score", "Score the symbols of one date, or of many, with a model, and store the scores."),
    ("models", "List the models that have scored a dataset, or print one as TOML."),
    ("backtest", "Score the rebalancing dates with a model, hold what the scores ask for, and say what that earned."),
):
    app.command(f"factorloom.api.cli.scoring:{verb}", name=verb, help=meaning)
app.command("factorloom.api.cli.explain:explain_score", name="explain-score", help="Say why a symbol has its score.")
app.command("factorloom.bench.cli:app", name="bench", help="Benchmark Factorloom and other libraries.")

USAGE, FAILURE, INTERRUPTED = 2, 1, 130


@app.command
def demo(*, symbols: int = 500, years: int = 5, store: Path = Path("factorloom-demo")) -> None:
    """Simulate a market, store it, compute style factors, and score the last date.

    Parameters
    ----------
    symbols
        Number of symbols.
    years
        Number of years.
    store
        Folder of the store; an earlier demo store is replaced.
    """
    from factorloom.api.cli.demo import run

    run(symbols, years, store)


@app.command
def load(
    dataset: str,
    source: Path,
    *,
    map: Annotated[dict[str, str] | None, Parameter(accepts_keys=True)] = None,
    types: Annotated[dict[str, Literal["number", "text"]] | None, Parameter(accepts_keys=True)] = None,
    attributes: Path | None = None,
    read: ReadOption = ReadOption(),
    store_option: StoreOption = StoreOption(),
    format: Literal["table", "json"] = "table",
) -> None:
    """Check the bars of Parquet, CSV or Arrow files, merge them into a dataset, and print a quality report.

    Parameters
    ----------
    dataset
        Name in the store; a new dataset is created.
    source
        File with the bars, a folder of such files, or a pattern such as 'bars/*.csv'.
    map
        Rename a column: --map.close "Adj Close".
    types
        Say what a column holds: --types.code text.
    attributes
        File with one row per symbol and text columns, such as the sector.
    format
        Report format.
    """
    import json

    options = read.options()
    if map is not None:
        options["columns"] = map
    if types is not None:
        options["types"] = types
    with store_option.open(must_exist=False) as store:
        report = store.load(dataset, source, attributes=attributes, **options)
    print(json.dumps(report.to_dict(), default=str) if format == "json" else report)


@app.command
def datasets(*, store_option: StoreOption = StoreOption(), output_option: OutputOption = OutputOption()) -> None:
    """List the datasets of a store."""
    output_option.check()
    with store_option.open(read_only=True) as store:
        frame = store.datasets()
    output_option.write(frame)


@app.command
def compute(
    dataset: str,
    *factors: str,
    selection: SelectionOption = SelectionOption(),
    store_option: StoreOption = StoreOption(),
    output_option: OutputOption = OutputOption(),
) -> None:
    """Compute factors over a dataset; values that were computed before are read from the store.

    Parameters
    ----------
    dataset
        Name in the store.
    factors
        Expressions, optionally with names: 'momentum=ts_pct_change(close, 20)'.
    """
    from factorloom.expressions.parse import parse

    if not factors:
        raise ArgumentError(
            "no factor to compute", hint="give an expression: factorloom compute us 'ts_mean(close, 20) / close - 1'"
        )
    parsed = {name: parse(text) for name, text in map_names(factors).items()}
    output_option.check()
    with store_option.open() as store:
        values = store.compute(dataset, parsed, **selection.arguments())
    output_option.write(values)


@app.command
def save(
    dataset: str,
    *factors: str,
    set: str = "saved",
    store_option: StoreOption = StoreOption(),
) -> None:
    """Compute factors and give them names, under which SQL sees them: factors.<dataset>.

    Parameters
    ----------
    dataset
        Name in the store.
    factors
        Expressions with names: 'momentum=ts_pct_change(close, 20)'.
    set
        The set that they belong to.
    """
    with store_option.open() as store:
        store.save(dataset, map_names(factors), set=set)


@app.command
def sql(
    query: str,
    *,
    as_of: str | None = None,
    max_rows: int | None = None,
    timeout: float | None = None,
    store_option: StoreOption = StoreOption(),
    output_option: OutputOption = OutputOption(),
) -> None:
    """Query a store: bars.<dataset>, factors.<dataset>, scores.<dataset>, catalog.datasets.

    Parameters
    ----------
    query
        One read-only statement.
    as_of
        A version, or a time in UTC: datasets as they were known then.
    max_rows
        A result with more rows is refused.
    timeout
        Seconds after which the query, and this process, are ended.
    """
    from factorloom.api.cli.limit import within_seconds

    output_option.check()
    with within_seconds(timeout), store_option.open(read_only=True) as store:
        result = store.sql(query, as_of=version_of(as_of), max_rows=max_rows)
    output_option.write(result)


@app.command
def serve(*, host: str = "127.0.0.1", port: int = 8000, store_option: StoreOption = StoreOption()) -> None:
    """Serve a store over HTTP.

    Parameters
    ----------
    host
        Address to listen on.
    port
        Port to listen on; 0 chooses a free one.
    """
    from factorloom.api.http.server import serve

    store_option.open().close()
    serve(store_option.store, host, port)


@app.command
def operators(
    name: str | None = None,
    *,
    format: Literal["table", "json", "markdown"] = "table",
    output: OutputPath = None,
) -> None:
    """List the operators, or describe one.

    Parameters
    ----------
    name
        Operator to describe.
    format
        Output format; markdown gives the reference page.
    output
        Output file, or - for stdout.
    """
    from factorloom.api.cli.output import write_bytes
    from factorloom.api.verb.operator import describe, operator_table
    from factorloom.expressions.reference import reference

    if name is not None:
        write_bytes(f"{describe(name)}\n".encode(), output)
    elif format == "markdown":
        write_bytes(reference().encode(), output)
    else:
        OutputOption(format, output).write(operator_table())


@app.command
def library(
    name: str | None = None,
    *,
    format: Literal["table", "json", "csv", "parquet", "arrow", "markdown"] = "table",
    output: OutputPath = None,
) -> None:
    """List the factor libraries, or the factors of one.

    Parameters
    ----------
    name
        Library to list: alpha101, alpha158, alpha360, gtja191, technical or styles.
    format
        Output format; markdown gives the page of one library.
    output
        Output file, or - for stdout.
    """
    from factorloom.api.cli.output import write_bytes
    from factorloom.api.verb.library import factors, find, libraries
    from factorloom.expressions.library.page import page

    if format != "markdown":
        OutputOption(format, output).write(libraries() if name is None else factors(find(name)))
    elif name is None:
        raise ArgumentError(
            "markdown needs the name of a library", hint="for example: factorloom library alpha101 --format markdown"
        )
    else:
        write_bytes(page(find(name)).encode(), output)


@app.command
def prepare(*libraries: str) -> None:
    """Compile kernels ahead, and say how many and where they are kept: for images and deployments.

    Parameters
    ----------
    libraries
        Factor libraries, as `factorloom library` lists them; those of the demo and its score if none is given.
    """
    from factorloom.api.cli.demo import factors_of, style_model
    from factorloom.api.verb.library import find
    from factorloom.engine.bars.market import simulate
    from factorloom.engine.prepare import prepare

    if libraries:
        print(prepare(*map(find, libraries)))
    else:
        print(prepare(factors_of(style_model(simulate(symbols=1, years=1).columns))))


@app.command(name="check-factors")
def check_factors(reference: str, *, examples: int = 50, seed: int = 0) -> None:
    """Search for bars on which factors of a module of yours break a promise; the exit code is 1 if one is found.

    Parameters
    ----------
    reference
        Module and name: my_factors:FACTORS, a factor, an indicator, or a mapping, list or library of them.
    examples
        How many sets of bars are tried.
    seed
        Of the first one.
    """
    from factorloom.api.verb.promise import check_declared

    print(check_declared(reference, examples=examples, seed=seed))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 success, 2 invalid request, 1 other failure, 130 interrupted."""
    for name in ("SIGTERM", "SIGHUP"):  # as for Ctrl-C, the command cleans up; Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    try:
        app(list(argv), exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except PromiseError as error:
        print(f"factorloom: {error}", file=sys.stderr)
        return FAILURE
    except (FactorloomError, CycloptsError) as error:
        print(f"factorloom: {str(error).strip()}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python reports an error at exit
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # raised by DuckDB on Ctrl-C
            raise
        return INTERRUPTED
    except OSError as error:
        print(f"factorloom: {error}", file=sys.stderr)
        return FAILURE
    return 0
