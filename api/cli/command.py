"""The command line: data on stdout, logs and progress on stderr.

Every command is a few lines over a store; what is heavy is imported by the command that needs it, so that `--help`
answers at once.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from factorloom.expressions.errors import ArgumentError, FactorloomError

if TYPE_CHECKING:
    import polars as pl

    from factorloom.storage.store import Store

__all__ = ["main"]

app = App(
    name="factorloom",
    help="Equity factors, from prices to served scores.",
    version=lambda: f"factorloom {version('factorloom')}",
    default_parameter=Parameter(negative=()),
    help_format="plaintext",
)
app.command("factorloom.bench.cli:app", name="bench", help="Time Factorloom beside its peers.")

USAGE, FAILURE, INTERRUPTED = 2, 1, 130
Output = Annotated[Path | None, Parameter(alias="-o", allow_leading_hyphen=True)]
"""A file for a result, or - for stdout; `check_target` refuses other words with a hyphen before."""

NAMED = re.compile(r"([A-Za-z_]\w*)=(?!=)(.*)", re.DOTALL)


@Parameter(name="*")
@dataclass(frozen=True)
class Out:
    """Where a result goes.

    Parameters
    ----------
    format
        How data is written.
    output
        A file, or - for stdout.
    """

    format: Literal["table", "json", "csv", "parquet", "arrow"] = "table"
    output: Output = None

    def check(self) -> None:
        """Refuse a file that cannot be written before anything is done."""
        from factorloom.api.cli.output import check_target

        check_target(self.output)

    def write(self, frame: pl.DataFrame) -> None:
        from factorloom.api.cli.output import write

        write(frame, self.format, self.output)


@Parameter(name="*")
@dataclass(frozen=True)
class At:
    """Which store.

    Parameters
    ----------
    store
        The store's file.
    """

    store: Annotated[Path, Parameter(env_var="FACTORLOOM_STORE")] = Path("factorloom.duckdb")

    def open(self, *, there: bool = True, read_only: bool = False) -> Store:
        """The store; one that must be `there` already is not created."""
        from factorloom.expressions.errors import StoreError
        from factorloom.storage.store import open_store

        if there and not self.store.exists():
            raise StoreError(
                f"there is no store at {self.store}",
                hint="make one with `factorloom load` or `factorloom demo`, or name it with --store",
            )
        return open_store(self.store, read_only=read_only)


@Parameter(name="*")
@dataclass(frozen=True)
class Rows:
    """Which bars.

    Parameters
    ----------
    start, end
        The first and last date, both included.
    symbols
        Symbols with commas between.
    """

    start: str | None = None
    end: str | None = None
    symbols: str | None = None

    def choice(self) -> dict[str, Any]:
        symbols = None if self.symbols is None else [s.strip() for s in self.symbols.split(",") if s.strip()]
        return {"start": self.start, "end": self.end, "symbols": symbols}


@app.command
def demo(*, symbols: int = 500, years: int = 5, store: Path = Path("factorloom-demo.duckdb")) -> None:
    """Simulate a market, store it, compute style factors, and score the last date.

    Parameters
    ----------
    symbols, years
        The size of the market.
    store
        The file to keep it in; a demo store that is there is replaced.
    """
    from factorloom.api.cli.demo import run

    run(symbols, years, store)


@app.command
def load(
    dataset: str,
    source: Path,
    *,
    symbol: str = "symbol",
    date: str = "date",
    map: Annotated[dict[str, str] | None, Parameter(accepts_keys=True)] = None,
    attributes: Path | None = None,
    duplicates: Literal["error", "first", "last"] = "error",
    at: At = At(),
    format: Literal["table", "json"] = "table",
) -> None:
    """Check bars of a Parquet, CSV or Arrow file, lay them over a dataset, and report.

    Parameters
    ----------
    dataset
        Its name in the store; a new one is made.
    source
        The file.
    symbol, date
        The key columns of the file.
    map
        A column under another name: --map.close "Adj Close".
    attributes
        A file with one row per symbol, such as its sector.
    duplicates
        What to do about a repeated symbol and date.
    format
        How the report is written.
    """
    import json

    with at.open(there=False) as store:
        report = store.load(
            dataset, source, symbol=symbol, date=date, columns=map, attributes=attributes, duplicates=duplicates
        )
    print(json.dumps(report.to_dict(), default=str) if format == "json" else report)


@app.command
def datasets(*, at: At = At(), out: Out = Out()) -> None:
    """List the datasets of a store."""
    out.check()
    with at.open(read_only=True) as store:
        listed = store.datasets()
    out.write(listed)


@app.command
def compute(dataset: str, *factors: str, rows: Rows = Rows(), at: At = At(), out: Out = Out()) -> None:
    """Compute factors over a dataset; what was computed before comes from the store.

    Parameters
    ----------
    dataset
    factors
        Expressions, each with a name if it should have one: 'momentum=ts_pct_change(close, 20)'.
    """
    from factorloom.expressions.parse import parse

    if not factors:
        raise ArgumentError("no factor to compute", hint="factorloom compute us 'ts_mean(close, 20) / close - 1'")
    wanted = {name: parse(text) for name, text in map_names(factors).items()}
    out.check()
    with at.open() as store:
        values = store.compute(dataset, wanted, **rows.choice())
    out.write(values)


@app.command
def score(dataset: str, model: Path, *, date: str | None = None, at: At = At(), out: Out = Out()) -> None:
    """Score the symbols of one date with a model, and keep the scores in the store.

    Parameters
    ----------
    dataset
    model
        A TOML file.
    date
        By default the last one.
    """
    from factorloom.api.verb.scorecard import scorecard
    from factorloom.engine.research.model import ScoreModel

    made = ScoreModel.from_toml(model)
    out.check()
    with at.open() as store:
        scores = store.score(dataset, made, date=date)
    out.write(scorecard(scores) if out.format == "table" else scores)


@app.command
def sql(query: str, *, at: At = At(), out: Out = Out()) -> None:
    """Query a store: bars.<dataset>, factors.<dataset>, scores.<dataset>, catalog.datasets.

    Parameters
    ----------
    query
        One reading statement.
    """
    out.check()
    with at.open(read_only=True) as store:
        result = store.sql(query)
    out.write(result)


@app.command
def serve(*, host: str = "127.0.0.1", port: int = 8000, at: At = At()) -> None:
    """Serve a store over HTTP; the service owns its file while it runs.

    Parameters
    ----------
    host, port
        Where to listen.
    """
    from factorloom.api.http.server import serve

    at.open().close()
    serve(at.store, host, port)


@app.command
def operators(
    name: str | None = None,
    *,
    format: Literal["table", "json", "markdown"] = "table",
    output: Output = None,
) -> None:
    """List the operators, or tell one in full.

    Parameters
    ----------
    name
        The operator to tell.
    format
        How the list is written; markdown is the reference page.
    output
        A file, or - for stdout.
    """
    from factorloom.api.cli.output import put
    from factorloom.api.verb.operator import describe, listed
    from factorloom.expressions.reference import reference

    if name is not None:
        put(f"{describe(name)}\n".encode(), output)
    elif format == "markdown":
        put(reference().encode(), output)
    else:
        Out(format, output).write(listed())


@app.command
def library(
    name: str | None = None,
    *,
    format: Literal["table", "json", "csv", "parquet", "arrow", "markdown"] = "table",
    output: Output = None,
) -> None:
    """List the factor libraries, or the factors of one.

    Parameters
    ----------
    name
        The library to tell: alpha101, alpha158, alpha360, gtja191, technical or styles.
    format
        How the list is written; markdown is the page of one library.
    output
        A file, or - for stdout.
    """
    from factorloom.api.cli.output import put
    from factorloom.api.verb.library import factors, find, libraries
    from factorloom.expressions.library.page import page

    if format != "markdown":
        Out(format, output).write(libraries() if name is None else factors(find(name)))
    elif name is None:
        raise ArgumentError("the markdown page is that of one library", hint="factorloom library alpha101 …")
    else:
        put(page(find(name)).encode(), output)


def map_names(factors: Sequence[str]) -> dict[str, str]:
    """Expressions by name; one without a name is called by its text.

    >>> map_names(["up=close > open", "close == open"])
    {'up': 'close > open', 'close == open': 'close == open'}
    """
    named: dict[str, str] = {}
    for text in factors:
        match = NAMED.fullmatch(text)
        name, expression = (match[1], match[2]) if match else (text, text)
        if name in named:
            raise ArgumentError(f"two factors are named {name!r}")
        named[name] = expression
    return named


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 the request is at fault, 1 anything else, 130 interrupted."""
    for name in ("SIGTERM", "SIGHUP"):  # they end a command as Ctrl-C does, so that it cleans up; Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one command and give its exit code."""
    try:
        app(list(argv), exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except (FactorloomError, CycloptsError) as error:
        print(f"factorloom: {str(error).strip()}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it exits
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # what DuckDB makes of a Ctrl-C
            raise
        return INTERRUPTED
    except OSError as error:
        print(f"factorloom: {error}", file=sys.stderr)
        return FAILURE
    return 0
