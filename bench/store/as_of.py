"""Part 4: reads of an earlier version beside plain ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from factorloom.bench.store.figure import Figure, Seconds, figure, timed
from factorloom.bench.store.market import BARS, Market, fill, restated
from factorloom.storage.store import Store, open_store

__all__ = ["as_of"]

LIMIT, SHARE, ALTERNATIONS = 1.2, 0.001, 7


def as_of(market: Market) -> Iterator[Figure]:
    """Append a day, restate some bars of the last year, and read both versions in turns."""
    with market.copy("as_of") as store:
        recent = market.bars["date"].unique().sort()[-250:]
        some, _ = restated(market.bars.filter(market.bars["date"].is_in(recent.implode())), SHARE)
        store.load(BARS, market.later[0])
        store.load(BARS, some)
        fill(store, market.factors, market.spans)
    dates, symbol = market.bars["date"].unique().sort(), market.bars["symbol"][0]
    kinds: Mapping[str, tuple[list[dict[str, Any]], int]] = {
        "everything": ([span._asdict() for span in market.spans], market.options.repeats),
        "the last year of the history": ([{"start": dates[-min(250, len(dates))], "end": dates[-1]}], ALTERNATIONS),
        "one date": ([{"dates": dates[-2]}], ALTERNATIONS),
        "one symbol": ([{"symbols": symbol, "end": dates[-1]}], ALTERNATIONS),
    }
    with open_store(market.folder / "as_of", read_only=True) as store:
        for name, (requests, repeats) in kinds.items():
            plain, earlier = _in_turns(market, store, requests, repeats)
            yield figure(f"{name}, plain", plain)
            yield figure(f"{name}, as of the first version", earlier, "plain", plain, limit=LIMIT)


def _in_turns(
    market: Market, store: Store, requests: list[dict[str, Any]], repeats: int
) -> tuple[list[Seconds], list[Seconds]]:
    runs: dict[int | None, list[Seconds]] = {None: [], 1: []}
    for _ in range(repeats + 1):
        for version, known in runs.items():
            known.append(_asked(market, store, requests, version))
    return runs[None][1:], runs[1][1:]  # the first of each opens files


def _asked(market: Market, store: Store, requests: list[dict[str, Any]], version: int | None) -> Seconds:
    total = Seconds(0.0, 0.0)
    for each in requests:
        total += timed(lambda each=each: store.compute(BARS, market.factors, as_of=version, **each))  # type: ignore[misc]
    return total
