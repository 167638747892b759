"""The demo: a simulated market from prices to a score, with what it took."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from glob import escape
from importlib.metadata import version
from pathlib import Path

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from factorloom.api.verb.scorecard import scorecard
from factorloom.engine.executor.native.kernel import prepare
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.research.model import ScoreFactor, ScoreModel
from factorloom.engine.research.score import composite
from factorloom.engine.runtime.progress import default_observer
from factorloom.expressions.errors import StoreError
from factorloom.expressions.library import styles
from factorloom.storage import catalog
from factorloom.storage.connection import alone, logs, look
from factorloom.storage.database import open_database
from factorloom.storage.market import simulate
from factorloom.storage.sql import fetch
from factorloom.storage.store import open_store

__all__ = ["run"]

DATASET = "demo"
MARK = "made by the demo"
"""The key under which a store says that the demo made it."""
TOP, BOTTOM, PARTS = 10, 5, 2
WIDTH = 110


def run(symbols: int, years: int, path: Path) -> None:
    """Simulate, load, compute, score, and tell; the store of an earlier demo at `path` is replaced once all is done."""
    clock = Clock(Console(stderr=True, highlight=False))
    with in_place_of(path) as part, open_store(part) as store:
        with clock.timed("simulate", f"simulating {symbols:,} symbols over {years} years"):
            market = simulate(symbols=symbols, years=years)
        model = style_model(market.columns)
        sectors = market.select("symbol", "sector").unique(maintain_order=True)
        with clock.timed("load", f"checking and loading {market.height:,} bars into {path}"):
            report = store.load(DATASET, market.drop("sector"), attributes=sectors)
        with clock.timed("prepare", "preparing kernels: compiled in the first run, read from disk in later ones"):
            prepare(make_plan({**model.raw, **composite(model)}), default_observer())
        with clock.timed("compute", f"computing {len(model.factors)} style factors"):
            store.compute(DATASET, model.raw)
        with clock.timed("score", "scoring the last date"):
            scores = store.score(DATASET, model)
        first = store.counters
        with clock.timed("again", "asking for the same factors again"):
            store.compute(DATASET, model.raw)
        second = store.counters
    out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    out.print(f"{report}\n", markup=False, soft_wrap=True)
    out.print(table_of(scores, sectors))
    hits, runs = second.hits - first.hits, second.kernel_runs - first.kernel_runs
    out.print(
        summary(clock.took, market.height, scores.height, len(model.factors), hits, runs), markup=False, soft_wrap=True
    )
    out.print(next_steps(path, str(scores["symbol"][0])), markup=False, soft_wrap=True)


class Clock:
    """Tells what is being done, and keeps how long it took."""

    def __init__(self, log: Console) -> None:
        self.log = log
        self.took: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str, doing: str) -> Iterator[None]:
        self.log.print(f"[dim]{doing} …[/dim]")
        started = time.perf_counter()
        yield
        self.took[name] = time.perf_counter() - started


def style_model(columns: Sequence[str]) -> ScoreModel:
    """All styles that these columns can give, each in the direction of its source; neutral to sectors."""
    entries = styles().available(columns).entries
    parts = {name: ScoreFactor(entry.factor, direction=entry.direction or 1) for name, entry in entries.items()}
    return ScoreModel("styles", parts, neutralize="sector", description="all style factors, equal weights")


def check_replaceable(path: Path) -> None:
    """Refuse a file that the demo did not make, or that holds other bars by now; nobody has it open."""
    if not path.exists():
        return
    with look(str(path)) as cursor:
        made = fetch(cursor, f"SELECT value FROM catalog.meta WHERE key = '{MARK}'").height
        held = catalog.datasets(cursor).select("name", "version").rows()
    others = [name for name, version in held if not made or (name, version) != (DATASET, 1)]
    if others or not made:
        raise StoreError(
            f"{path} is a store of your own: it holds {', '.join(others) or 'nothing yet'}",
            hint="name another file with --store",
        )


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """A file for a new store, which takes the place of the one at `path` if all goes well, and is removed if not."""
    path = path.resolve()  # or a link would be replaced, and not what it leads to
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with alone(str(path)):
        check_replaceable(path)
    sweep(path)
    try:
        yield part
        mark(part)
        with alone(str(path)):
            check_replaceable(path)  # it may have changed since
            remove_logs(path)
            part.replace(path)
    finally:
        remove(part)


def mark(part: Path) -> None:
    """Have a store say that the demo made it."""
    database = open_database(part)
    with closing(database), database.writing() as cursor:
        cursor.execute("INSERT INTO catalog.meta VALUES (?, ?)", [MARK, version("factorloom")])
    if logs(str(part)):
        raise StoreError("the demo cannot write its store as a whole", hint="free disk space")


def sweep(path: Path) -> None:
    """Remove what demos that were killed have left beside `path`."""
    for part in path.parent.glob(f".{escape(path.name)}.*"):
        if part.suffix[1:].isdigit():
            with suppress(StoreError), alone(str(part)):  # a demo that still runs has it locked
                remove(part)


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    remove_logs(path)


def remove_logs(path: Path) -> None:
    for log in logs(str(path)):
        Path(log).unlink(missing_ok=True)


def table_of(scores: pl.DataFrame, sectors: pl.DataFrame) -> Table:
    """The best and the worst, and what made them so."""
    card = scorecard(scores, PARTS).filter(pl.col("score").is_not_null())
    card = card.join(sectors, on="symbol", how="left", maintain_order="left")
    table = Table(box=box.SIMPLE_HEAD, title=f"Scores of {scores['date'][0]}", title_justify="left", pad_edge=False)
    for name in ("rank", "score", "percentile"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("symbol", "sector"):
        table.add_column(name, no_wrap=True)
    table.add_column("largest contributions")
    best, worst = card.head(TOP), card.tail(min(BOTTOM, max(0, card.height - TOP)))
    for part in (best, worst):
        for row in part.iter_rows(named=True):
            numbers = (str(row["rank"]), f"{row['score']:.3f}", f"{row['percentile']:.1%}")
            table.add_row(*numbers, row["symbol"], row["sector"], row["largest contributions"])
        table.add_section()
    return table


def summary(took: dict[str, float], bars: int, symbols: int, factors: int, hits: int, runs: int) -> str:
    """What it took, in lines."""
    rate = bars * factors / took["compute"] / 1e6
    lines = {
        "simulate": f"{bars:,} bars",
        "load": f"{bars / took['load']:,.0f} bars/s, checked and stored",
        "prepare": "kernels",
        "compute": f"{factors} factors, {rate:,.1f} million factor cells/s, stored",
        "score": f"{symbols / took['score']:,.0f} stocks/s",
        "again": f"{hits} of {factors} factors from the cache, {runs} kernels run",
    }
    return "\n".join(f"{name:<9} {took[name]:6.2f} s  {what}" for name, what in lines.items())


def next_steps(path: Path, symbol: str) -> str:
    """Three commands that work on the store as it is."""
    momentum = f"compute demo 'momentum=ts_pct_change(close, 20)' --symbols {symbol} --start 2025-12-22"
    best = "sql 'select symbol, score, reason from scores.demo order by rank limit 5'"
    commands = "\n".join(f"  factorloom {verb} --store {path}" for verb in (momentum, best, "serve"))
    return f"\nTry next (the service shows its pages at http://127.0.0.1:8000/schema):\n{commands}"
