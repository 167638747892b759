"""The demo: simulate a market, store it, compute and score factors, and print the times."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from factorloom.api.verb.scorecard import scorecard
from factorloom.engine.bars.market import simulate
from factorloom.engine.executor.native.machine import prepare
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.research.model import ScoreFactor, ScoreModel
from factorloom.engine.research.standard import standardized
from factorloom.engine.runtime.progress import default_observer
from factorloom.engine.runtime.replace import replacing as replacing_folder
from factorloom.expressions.errors import StoreError
from factorloom.expressions.factor import Factor
from factorloom.expressions.library import styles
from factorloom.storage.store import open_store

__all__ = ["run"]

DATASET = "demo"
MARK = "made-by-the-demo"
"""The file that marks a store made by the demo."""
TOP, BOTTOM, CONTRIBUTIONS = 10, 5, 2
WIDTH = 110


def run(symbols: int, years: int, path: Path) -> None:
    """Run the demo; at the end its store replaces that of an earlier demo at `path`."""
    clock = Clock(Console(stderr=True, highlight=False))
    with replacing(path) as temporary, open_store(temporary) as store:
        with clock.timed("simulate", f"simulating {symbols:,} symbols over {years} years"):
            market = simulate(symbols=symbols, years=years)
        model = style_model(market.columns)
        sectors = market.select("symbol", "sector").unique(maintain_order=True)
        with clock.timed("load", f"checking and loading {market.height:,} bars into {path}"):
            report = store.load(DATASET, market.drop("sector"), attributes=sectors)
        with clock.timed("prepare", "preparing kernels: compiled in the first run, read from disk in later runs"):
            prepare([make_plan(factors_of(model))], default_observer())
        with clock.timed("compute", f"computing {len(model.factors)} style factors"):
            store.save(DATASET, model.raw, set="styles")
        with clock.timed("score", "scoring the last date"):
            scores = store.score(DATASET, model)
        first = store.counters
        with clock.timed("again", "computing the same factors again"):
            store.compute(DATASET, model.raw)
        second = store.counters
    out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    out.print(f"{report}\n", markup=False, soft_wrap=True)
    out.print(table_of(scores, sectors))
    hits, runs = second.hits - first.hits, second.kernel_runs - first.kernel_runs
    out.print(
        timings(clock.seconds, market.height, scores.height, len(model.factors), hits, runs),
        markup=False,
        soft_wrap=True,
    )
    out.print(next_steps(path, str(scores["symbol"][0])), markup=False, soft_wrap=True)


class Clock:
    """Logs each step and measures its time."""

    def __init__(self, log: Console) -> None:
        self.log = log
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str, message: str) -> Iterator[None]:
        self.log.print(f"[dim]{message} …[/dim]")
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def style_model(columns: Sequence[str]) -> ScoreModel:
    """A sector-neutral model of all style factors that can be computed from `columns`."""
    entries = styles().available(columns).entries
    parts = {name: ScoreFactor(entry.factor, direction=entry.direction or 1) for name, entry in entries.items()}
    return ScoreModel("styles", parts, neutralize="sector", description="all style factors, equal weights")


def factors_of(model: ScoreModel) -> dict[str, Factor]:
    """All that the demo computes: the factors, and their standardised values."""
    return {**model.raw, **{f"z_{name}": z for name, z in standardized(model).items()}}


def check_replaceable(path: Path) -> None:
    """Refuse a store that the demo did not make, or that has other bars since."""
    if not path.exists():
        return
    with open_store(path, read_only=True) as store:
        stored = store.datasets().select("name", "version").rows()
    made = (path / MARK).exists()
    others = [name for name, version in stored if not made or (name, version) != (DATASET, 1)]
    if others or not made:
        raise StoreError(
            f"{path} was not made by the demo, or was changed: it has {', '.join(others) or 'no datasets'}",
            hint="choose another folder with --store",
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path for a new store, which replaces the one at `path` on success and is removed on failure."""
    path = path.resolve()  # replace the target of a link, not the link
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    check_replaceable(path)
    remove_leftovers(path)
    try:
        yield temporary
        (temporary / MARK).write_text(version("factorloom"))
        check_replaceable(path)  # it may have changed in the meantime
        with replacing_folder(path) as new:
            temporary.rename(new)
    finally:
        rmtree(temporary, ignore_errors=True)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary stores of demos that were killed."""
    for temporary in path.parent.glob(f".{escape(path.name)}.*"):
        if temporary.suffix[1:].isdigit() and not is_running(int(temporary.suffix[1:])):
            rmtree(temporary, ignore_errors=True)


def is_running(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def table_of(scores: pl.DataFrame, sectors: pl.DataFrame) -> Table:
    """The best and the worst scores, with their largest contributions."""
    card = scorecard(scores, CONTRIBUTIONS).filter(pl.col("score").is_not_null())
    card = card.join(sectors, on="symbol", how="left", maintain_order="left")
    table = Table(box=box.SIMPLE_HEAD, title=f"Scores of {scores['date'][0]}", title_justify="left", pad_edge=False)
    for name in ("rank", "score", "percentile"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("symbol", "sector"):
        table.add_column(name, no_wrap=True)
    table.add_column("largest contributions")
    best, worst = card.head(TOP), card.tail(min(BOTTOM, max(0, card.height - TOP)))
    for group in (best, worst):
        for row in group.iter_rows(named=True):
            numbers = (str(row["rank"]), f"{row['score']:.3f}", f"{row['percentile']:.1%}")
            table.add_row(*numbers, row["symbol"], row["sector"], row["largest contributions"])
        table.add_section()
    return table


def timings(seconds: dict[str, float], bars: int, symbols: int, factors: int, hits: int, runs: int) -> str:
    """The time and the throughput of each step, one per line."""
    rate = bars * factors / seconds["compute"] / 1e6
    lines = {
        "simulate": f"{bars:,} bars",
        "load": f"{bars / seconds['load']:,.0f} bars/s, checked and stored",
        "prepare": "kernels",
        "compute": f"{factors} factors, {rate:,.1f} million factor cells/s, stored",
        "score": f"{symbols / seconds['score']:,.0f} stocks/s",
        "again": f"{hits} of {factors} factors from the cache, {runs} kernels run",
    }
    return "\n".join(f"{name:<9} {seconds[name]:6.2f} s  {what}" for name, what in lines.items())


def next_steps(path: Path, symbol: str) -> str:
    """Three commands to try on the store."""
    momentum = f"compute demo 'momentum=ts_pct_change(close, 20)' --symbols {symbol} --start 2025-12-22"
    best = "sql 'select symbol, score, reason from scores.demo order by rank limit 5'"
    commands = "\n".join(f"  factorloom {verb} --store {path}" for verb in (momentum, best, "serve"))
    return f"\nTry next (the service has its documentation at http://127.0.0.1:8000/schema):\n{commands}"
