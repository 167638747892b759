"""Part 5: a research day, replayed.

The library is computed when the day begins. 200 requests follow: screens of one date, which slides over the last 60;
windows of 20 dates with five factors; histories of one symbol; new factors that contain old ones, each asked for three
times; and repeats of the request before. After the first half a day is appended, after three quarters some bars are
restated.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple

from factorloom.bench.store.figure import Figure, Seconds, figure, timed
from factorloom.bench.store.market import BARS, Market, restated
from factorloom.expressions.factor import Factor
from factorloom.expressions.operators import cs_rank, ts_mean
from factorloom.storage.store import Store

__all__ = ["day"]

SCREENS, WINDOWS, HISTORIES, NEW, REPEATED = 80, 40, 30, 30, 20
RECENT, WINDOW, FEW, SHARE = 60, 20, 5, 0.001
CACHED, WARM = 0.9, 0.005
"""The limits: the share of cells from the cache, and the median seconds of a warm request."""


class Asked(NamedTuple):
    """A request: its kind, its factors, and the bars."""

    kind: str
    factors: dict[str, Factor]
    selection: dict[str, Any]


class Answered(NamedTuple):
    """What a request took, the cells of its answer, and how many of them were computed for it."""

    kind: str
    seconds: Seconds
    cells: int
    computed: int


def day(market: Market) -> Iterator[Figure]:
    """Replay a day."""
    requests = list(_requests(market))
    with market.copy("day") as store:
        half, rest = len(requests) // 2, 3 * len(requests) // 4
        answers = [_answer(store, each) for each in requests[:half]]
        appending = timed(lambda: store.load(BARS, market.later[0]))
        answers += [_answer(store, each) for each in requests[half:rest]]
        recent = market.bars["date"].unique().sort()[-RECENT:]
        some, _ = restated(market.bars.filter(market.bars["date"].is_in(recent.implode())), SHARE)
        restating = timed(lambda: store.load(BARS, some))
        answers += [_answer(store, each) for each in requests[rest:]]
    total, computed = sum(each.cells for each in answers), sum(each.computed for each in answers)
    yield figure("load the appended day", [appending])
    yield figure("load the restated bars", [restating], note=f"{some.height:,} bars")
    share = 1 - computed / max(1, total)
    note = f"{total:,} cells in {len(answers)} requests"
    yield Figure(what="cells from the cache", value=share, unit="%", limit=CACHED, at_least=True, note=note)
    yield from _times(answers)


def _times(answers: list[Answered]) -> Iterator[Figure]:
    warm = [each.seconds for each in answers if not each.computed]
    walls = sorted(each.wall for each in warm)
    yield figure("warm request, p50", warm, limit=WARM, note=f"{len(warm)} requests of which nothing was computed")
    yield Figure(what="warm request, p99", value=_quantile(walls, 0.99))
    cold = sorted(each.seconds.wall for each in answers if each.computed)
    if cold:
        yield Figure(what="other request, p50", value=statistics.median(cold), note=f"{len(cold)} requests")
        yield Figure(what="other request, longest", value=cold[-1])
    for kind in dict.fromkeys(each.kind for each in answers):
        some = [each.seconds for each in answers if each.kind == kind and not each.computed]
        if some:
            yield figure(f"warm {kind}, p50", some)


def _answer(store: Store, asked: Asked) -> Answered:
    before = store.counters.cells
    cells = []
    seconds = timed(lambda: cells.append(_ask(store, asked)))
    return Answered(asked.kind, seconds, cells[0], min(cells[0], store.counters.cells - before))


def _ask(store: Store, asked: Asked) -> int:
    values = store.compute(BARS, asked.factors, **asked.selection)
    return values.height * len(asked.factors)


def _requests(market: Market) -> Iterator[Asked]:
    """The requests of the day, in an order by chance."""
    chance = random.Random(3)
    dates = market.bars["date"].unique().sort().to_list()[-RECENT:]
    kinds = ["screen"] * SCREENS + ["window"] * WINDOWS + ["history"] * HISTORIES + ["new factor"] * NEW
    kinds += ["repeat"] * REPEATED
    chance.shuffle(kinds)
    new = [_new_factor(market, chance) for _ in range(NEW // 3)]
    slides = max(1, len(dates) - WINDOW + 1)
    asked = Asked("screen", market.factors, {"dates": dates[-1]})
    for kind in kinds:
        place = chance.randrange(slides)
        window = {"start": dates[place], "end": dates[min(place + WINDOW, len(dates)) - 1]}
        if kind == "screen":
            asked = Asked(kind, market.factors, {"dates": chance.choice(dates)})
        elif kind == "window":
            asked = Asked(kind, _few(market, chance), window)
        elif kind == "history":
            asked = Asked(kind, _few(market, chance), {"symbols": market.bars["symbol"][place]})
        elif kind == "new factor":
            asked = Asked(kind, chance.choice(new), window)
        yield asked


def _few(market: Market, chance: random.Random) -> dict[str, Factor]:
    names = chance.sample(list(market.factors), min(FEW, len(market.factors)))
    return {name: market.factors[name] for name in names}


def _new_factor(market: Market, chance: random.Random) -> dict[str, Factor]:
    """A factor that contains two of the library."""
    one, other = (chance.choice(list(market.factors.values())) for _ in range(2))
    return {"new": ts_mean(cs_rank(one) - cs_rank(other), 5)}


def _quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
