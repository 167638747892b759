"""Z. Kakushadze, "101 Formulaic Alphas" (arXiv 1601.00991, 2016), appendix A, as the paper writes them.

Read from the paper's rules (A.2): `min(x, d)` and `max(x, d)` of a number of days are `ts_min` and `ts_max` (alpha029),
of two expressions the smaller and the larger cell (071, 073, 076, 077, 082, 087, 088, 092, 096); a fractional number of
days is rounded down, in `delta` too; truth counts as 1 and 0; `signedpower(x, a)` is `x^a`, which for its two uses (001
and 084, the base never negative) is also the power of the size with the sign kept; no `x^a` has a negative base and a
fractional power.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from tests.library.plain import (
    Axes,
    Column,
    abs,
    correlation,
    covariance,
    decay_linear,
    delay,
    delta,
    indneutralize,
    log,
    max,
    mean,
    min,
    product,
    rank,
    scale,
    sign,
    signedpower,
    stddev,
    sum,
    ts_argmax,
    ts_argmin,
    ts_max,
    ts_min,
    ts_rank,
    where,
)


class Bars:
    """The inputs of the formulas.

    Parameters
    ----------
    frame
        Columns `symbol date open high low close volume vwap`, `cap` for alpha056, and the groups `sector industry
        subindustry` for the formulas that neutralise; sorted by (symbol, date).
    adv
        What average daily volume averages: "dollar" (the paper) is vwap times volume, "shares" the volume.
    noise
        As in `Axes`.
    """

    def __init__(self, frame: pd.DataFrame, adv: str = "dollar", noise: np.random.Generator | None = None) -> None:
        axes = Axes(frame["symbol"], frame["date"], noise)
        self.open, self.high, self.low, self.close, self.volume, self.vwap = (
            axes.column(frame[name]) for name in ("open", "high", "low", "close", "volume", "vwap")
        )
        self.returns = self.close / delay(self.close, 1) - 1
        self.cap = axes.column(frame.get("cap", float("nan")))
        self.sector, self.industry, self.subindustry = (
            frame.get(name, pd.Series([None] * len(frame))).tolist() for name in ("sector", "industry", "subindustry")
        )
        self._traded = {"dollar": self.vwap * self.volume, "shares": self.volume}[adv]

    def adv(self, d: int) -> Column:
        """Average daily volume of the last `d` days."""
        return mean(self._traded, d)


def _follow(b: Bars, d: int) -> Column:
    """Alphas 9 and 10: go with `d` days of one direction, against a mixed run."""
    change = delta(b.close, 1)
    return where(ts_min(change, d) > 0, change, where(ts_max(change, d) < 0, change, -1 * change))


def _bend(b: Bars) -> Column:
    """Alphas 46, 49 and 51: the slope of the ten days before less that of the last ten."""
    return (delay(b.close, 20) - delay(b.close, 10)) / 10 - (delay(b.close, 10) - b.close) / 10


def _blend(x: Column, y: Column, weight: float) -> Column:
    """The paper's `(x * weight) + (y * (1 - weight))`."""
    return x * weight + y * (1 - weight)


def _alpha021(b: Bars) -> Column:
    mean8, mean2, busy = sum(b.close, 8) / 8, sum(b.close, 2) / 2, b.volume / b.adv(20)
    return where(
        mean8 + stddev(b.close, 8) < mean2,
        -1,
        where(mean2 < mean8 - stddev(b.close, 8), 1, where((busy > 1) | (busy == 1), 1, -1)),
    )


def _alpha024(b: Bars) -> Column:
    growth = delta(sum(b.close, 100) / 100, 100) / delay(b.close, 100)
    return where((growth < 0.05) | (growth == 0.05), -1 * (b.close - ts_min(b.close, 100)), -1 * delta(b.close, 3))


def _alpha036(b: Bars) -> Column:
    return (
        2.21 * rank(correlation(b.close - b.open, delay(b.volume, 1), 15))
        + 0.7 * rank(b.open - b.close)
        + 0.73 * rank(ts_rank(delay(-1 * b.returns, 6), 5))
        + rank(abs(correlation(b.vwap, b.adv(20), 6)))
        + 0.6 * rank((sum(b.close, 200) / 200 - b.open) * (b.close - b.open))
    )


def _alpha073(b: Bars) -> Column:
    price = _blend(b.open, b.low, 0.147155)
    falling = ts_rank(decay_linear(delta(price, 2.03608) / price * -1, 3.33829), 16.7411)
    return max(rank(decay_linear(delta(b.vwap, 4.72775), 2.91864)), falling) * -1


def _alpha100(b: Bars) -> Column:
    flow = rank(((b.close - b.low) - (b.high - b.close)) / (b.high - b.low) * b.volume)
    flow = indneutralize(indneutralize(flow, b.subindustry), b.subindustry)
    turn = indneutralize(correlation(b.close, rank(b.adv(20)), 5) - rank(ts_argmin(b.close, 30)), b.subindustry)
    return 0 - 1 * ((1.5 * scale(flow) - scale(turn)) * (b.volume / b.adv(20)))


# fmt: off
ALPHA101: dict[str, Callable[[Bars], Column]] = {
    "alpha001": lambda b:
        rank(ts_argmax(signedpower(where(b.returns < 0, stddev(b.returns, 20), b.close), 2.), 5)) - 0.5,
    "alpha002": lambda b: -1 * correlation(rank(delta(log(b.volume), 2)), rank((b.close - b.open) / b.open), 6),
    "alpha003": lambda b: -1 * correlation(rank(b.open), rank(b.volume), 10),
    "alpha004": lambda b: -1 * ts_rank(rank(b.low), 9),
    "alpha005": lambda b: rank(b.open - sum(b.vwap, 10) / 10) * (-1 * abs(rank(b.close - b.vwap))),
    "alpha006": lambda b: -1 * correlation(b.open, b.volume, 10),
    "alpha007": lambda b:
        where(b.adv(20) < b.volume, -1 * ts_rank(abs(delta(b.close, 7)), 60) * sign(delta(b.close, 7)), -1),
    "alpha008": lambda b: -1 * rank(sum(b.open, 5) * sum(b.returns, 5) - delay(sum(b.open, 5) * sum(b.returns, 5), 10)),
    "alpha009": lambda b: _follow(b, 5),
    "alpha010": lambda b: rank(_follow(b, 4)),
    "alpha011": lambda b:
        (rank(ts_max(b.vwap - b.close, 3)) + rank(ts_min(b.vwap - b.close, 3))) * rank(delta(b.volume, 3)),
    "alpha012": lambda b: sign(delta(b.volume, 1)) * (-1 * delta(b.close, 1)),
    "alpha013": lambda b: -1 * rank(covariance(rank(b.close), rank(b.volume), 5)),
    "alpha014": lambda b: -1 * rank(delta(b.returns, 3)) * correlation(b.open, b.volume, 10),
    "alpha015": lambda b: -1 * sum(rank(correlation(rank(b.high), rank(b.volume), 3)), 3),
    "alpha016": lambda b: -1 * rank(covariance(rank(b.high), rank(b.volume), 5)),
    "alpha017": lambda b:
        -1 * rank(ts_rank(b.close, 10)) * rank(delta(delta(b.close, 1), 1)) * rank(ts_rank(b.volume / b.adv(20), 5)),
    "alpha018": lambda b:
        -1 * rank(stddev(abs(b.close - b.open), 5) + (b.close - b.open) + correlation(b.close, b.open, 10)),
    "alpha019": lambda b:
        -1 * sign(b.close - delay(b.close, 7) + delta(b.close, 7)) * (1 + rank(1 + sum(b.returns, 250))),
    "alpha020": lambda b:
        -1 * rank(b.open - delay(b.high, 1)) * rank(b.open - delay(b.close, 1)) * rank(b.open - delay(b.low, 1)),
    "alpha021": _alpha021,
    "alpha022": lambda b: -1 * (delta(correlation(b.high, b.volume, 5), 5) * rank(stddev(b.close, 20))),
    "alpha023": lambda b: where(sum(b.high, 20) / 20 < b.high, -1 * delta(b.high, 2), 0),
    "alpha024": _alpha024,
    "alpha025": lambda b: rank(-1 * b.returns * b.adv(20) * b.vwap * (b.high - b.close)),
    "alpha026": lambda b: -1 * ts_max(correlation(ts_rank(b.volume, 5), ts_rank(b.high, 5), 5), 3),
    "alpha027": lambda b: where(rank(sum(correlation(rank(b.volume), rank(b.vwap), 6), 2) / 2.0) > 0.5, -1, 1),
    "alpha028": lambda b: scale(correlation(b.adv(20), b.low, 5) + (b.high + b.low) / 2 - b.close),
    "alpha029": lambda b:
        ts_min(product(rank(rank(scale(log(sum(ts_min(rank(rank(-1 * rank(delta(b.close - 1, 5)))), 2), 1))))), 1), 5)
        + ts_rank(delay(-1 * b.returns, 6), 5),
    "alpha030": lambda b:
        (1.0 - rank(sign(b.close - delay(b.close, 1)) + sign(delay(b.close, 1) - delay(b.close, 2))
                    + sign(delay(b.close, 2) - delay(b.close, 3)))) * sum(b.volume, 5) / sum(b.volume, 20),
    "alpha031": lambda b:
        rank(rank(rank(decay_linear(-1 * rank(rank(delta(b.close, 10))), 10)))) + rank(-1 * delta(b.close, 3))
        + sign(scale(correlation(b.adv(20), b.low, 12))),
    "alpha032": lambda b:
        scale(sum(b.close, 7) / 7 - b.close) + 20 * scale(correlation(b.vwap, delay(b.close, 5), 230)),
    "alpha033": lambda b: rank(-1 * (1 - b.open / b.close) ** 1),
    "alpha034": lambda b: rank(1 - rank(stddev(b.returns, 2) / stddev(b.returns, 5)) + (1 - rank(delta(b.close, 1)))),
    "alpha035": lambda b:
        ts_rank(b.volume, 32) * (1 - ts_rank(b.close + b.high - b.low, 16)) * (1 - ts_rank(b.returns, 32)),
    "alpha036": _alpha036,
    "alpha037": lambda b: rank(correlation(delay(b.open - b.close, 1), b.close, 200)) + rank(b.open - b.close),
    "alpha038": lambda b: -1 * rank(ts_rank(b.close, 10)) * rank(b.close / b.open),
    "alpha039": lambda b:
        -1 * rank(delta(b.close, 7) * (1 - rank(decay_linear(b.volume / b.adv(20), 9))))
        * (1 + rank(sum(b.returns, 250))),
    "alpha040": lambda b: -1 * rank(stddev(b.high, 10)) * correlation(b.high, b.volume, 10),
    "alpha041": lambda b: (b.high * b.low) ** 0.5 - b.vwap,
    "alpha042": lambda b: rank(b.vwap - b.close) / rank(b.vwap + b.close),
    "alpha043": lambda b: ts_rank(b.volume / b.adv(20), 20) * ts_rank(-1 * delta(b.close, 7), 8),
    "alpha044": lambda b: -1 * correlation(b.high, rank(b.volume), 5),
    "alpha045": lambda b:
        -1 * (rank(sum(delay(b.close, 5), 20) / 20) * correlation(b.close, b.volume, 2)
              * rank(correlation(sum(b.close, 5), sum(b.close, 20), 2))),
    "alpha046": lambda b: where(_bend(b) > 0.25, -1, where(_bend(b) < 0, 1, -1 * (b.close - delay(b.close, 1)))),
    "alpha047": lambda b:
        rank(1 / b.close) * b.volume / b.adv(20) * (b.high * rank(b.high - b.close) / (sum(b.high, 5) / 5))
        - rank(b.vwap - delay(b.vwap, 5)),
    "alpha048": lambda b:
        indneutralize(correlation(delta(b.close, 1), delta(delay(b.close, 1), 1), 250) * delta(b.close, 1) / b.close,
                      b.subindustry) / sum((delta(b.close, 1) / delay(b.close, 1)) ** 2, 250),
    "alpha049": lambda b: where(_bend(b) < -1 * 0.1, 1, -1 * (b.close - delay(b.close, 1))),
    "alpha050": lambda b: -1 * ts_max(rank(correlation(rank(b.volume), rank(b.vwap), 5)), 5),
    "alpha051": lambda b: where(_bend(b) < -1 * 0.05, 1, -1 * (b.close - delay(b.close, 1))),
    "alpha052": lambda b:
        (-1 * ts_min(b.low, 5) + delay(ts_min(b.low, 5), 5))
        * rank((sum(b.returns, 240) - sum(b.returns, 20)) / 220) * ts_rank(b.volume, 5),
    "alpha053": lambda b: -1 * delta(((b.close - b.low) - (b.high - b.close)) / (b.close - b.low), 9),
    "alpha054": lambda b: -1 * ((b.low - b.close) * b.open ** 5) / ((b.low - b.high) * b.close ** 5),
    "alpha055": lambda b:
        -1 * correlation(rank((b.close - ts_min(b.low, 12)) / (ts_max(b.high, 12) - ts_min(b.low, 12))),
                         rank(b.volume), 6),
    "alpha056": lambda b: 0 - 1 * (rank(sum(b.returns, 10) / sum(sum(b.returns, 2), 3)) * rank(b.returns * b.cap)),
    "alpha057": lambda b: 0 - 1 * ((b.close - b.vwap) / decay_linear(rank(ts_argmax(b.close, 30)), 2)),
    "alpha058": lambda b:
        -1 * ts_rank(decay_linear(correlation(indneutralize(b.vwap, b.sector), b.volume, 3.92795), 7.89291), 5.50322),
    "alpha059": lambda b:
        -1 * ts_rank(decay_linear(correlation(indneutralize(_blend(b.vwap, b.vwap, 0.728317), b.industry), b.volume,
                                              4.25197), 16.2289), 8.19648),
    "alpha060": lambda b:
        0 - 1 * (2 * scale(rank(((b.close - b.low) - (b.high - b.close)) / (b.high - b.low) * b.volume))
                 - scale(rank(ts_argmax(b.close, 10)))),
    "alpha061": lambda b: rank(b.vwap - ts_min(b.vwap, 16.1219)) < rank(correlation(b.vwap, b.adv(180), 17.9282)),
    "alpha062": lambda b:
        (rank(correlation(b.vwap, sum(b.adv(20), 22.4101), 9.91009))
         < rank(rank(b.open) + rank(b.open) < rank((b.high + b.low) / 2) + rank(b.high))) * -1,
    "alpha063": lambda b:
        (rank(decay_linear(delta(indneutralize(b.close, b.industry), 2.25164), 8.22237))
         - rank(decay_linear(correlation(_blend(b.vwap, b.open, 0.318108), sum(b.adv(180), 37.2467), 13.557),
                             12.2883))) * -1,
    "alpha064": lambda b:
        (rank(correlation(sum(_blend(b.open, b.low, 0.178404), 12.7054), sum(b.adv(120), 12.7054), 16.6208))
         < rank(delta(_blend((b.high + b.low) / 2, b.vwap, 0.178404), 3.69741))) * -1,
    "alpha065": lambda b:
        (rank(correlation(_blend(b.open, b.vwap, 0.00817205), sum(b.adv(60), 8.6911), 6.40374))
         < rank(b.open - ts_min(b.open, 13.635))) * -1,
    "alpha066": lambda b:
        (rank(decay_linear(delta(b.vwap, 3.51013), 7.23052))
         + ts_rank(decay_linear((_blend(b.low, b.low, 0.96633) - b.vwap) / (b.open - (b.high + b.low) / 2), 11.4157),
                   6.72611)) * -1,
    "alpha067": lambda b:
        rank(b.high - ts_min(b.high, 2.14593))
        ** rank(correlation(indneutralize(b.vwap, b.sector), indneutralize(b.adv(20), b.subindustry), 6.02936)) * -1,
    "alpha068": lambda b:
        (ts_rank(correlation(rank(b.high), rank(b.adv(15)), 8.91644), 13.9333)
         < rank(delta(_blend(b.close, b.low, 0.518371), 1.06157))) * -1,
    "alpha069": lambda b:
        rank(ts_max(delta(indneutralize(b.vwap, b.industry), 2.72412), 4.79344))
        ** ts_rank(correlation(_blend(b.close, b.vwap, 0.490655), b.adv(20), 4.92416), 9.0615) * -1,
    "alpha070": lambda b:
        rank(delta(b.vwap, 1.29456))
        ** ts_rank(correlation(indneutralize(b.close, b.industry), b.adv(50), 17.8256), 17.9171) * -1,
    "alpha071": lambda b:
        max(ts_rank(decay_linear(correlation(ts_rank(b.close, 3.43976), ts_rank(b.adv(180), 12.0647), 18.0175),
                                 4.20501), 15.6948),
            ts_rank(decay_linear(rank(b.low + b.open - (b.vwap + b.vwap)) ** 2, 16.4662), 4.4388)),
    "alpha072": lambda b:
        rank(decay_linear(correlation((b.high + b.low) / 2, b.adv(40), 8.93345), 10.1519))
        / rank(decay_linear(correlation(ts_rank(b.vwap, 3.72469), ts_rank(b.volume, 18.5188), 6.86671), 2.95011)),
    "alpha073": _alpha073,
    "alpha074": lambda b:
        (rank(correlation(b.close, sum(b.adv(30), 37.4843), 15.1365))
         < rank(correlation(rank(_blend(b.high, b.vwap, 0.0261661)), rank(b.volume), 11.4791))) * -1,
    "alpha075": lambda b:
        rank(correlation(b.vwap, b.volume, 4.24304)) < rank(correlation(rank(b.low), rank(b.adv(50)), 12.4413)),
    "alpha076": lambda b:
        max(rank(decay_linear(delta(b.vwap, 1.24383), 11.8259)),
            ts_rank(decay_linear(ts_rank(correlation(indneutralize(b.low, b.sector), b.adv(81), 8.14941), 19.569),
                                 17.1543), 19.383)) * -1,
    "alpha077": lambda b:
        min(rank(decay_linear((b.high + b.low) / 2 + b.high - (b.vwap + b.high), 20.0451)),
            rank(decay_linear(correlation((b.high + b.low) / 2, b.adv(40), 3.1614), 5.64125))),
    "alpha078": lambda b:
        rank(correlation(sum(_blend(b.low, b.vwap, 0.352233), 19.7428), sum(b.adv(40), 19.7428), 6.83313))
        ** rank(correlation(rank(b.vwap), rank(b.volume), 5.77492)),
    "alpha079": lambda b:
        rank(delta(indneutralize(_blend(b.close, b.open, 0.60733), b.sector), 1.23438))
        < rank(correlation(ts_rank(b.vwap, 3.60973), ts_rank(b.adv(150), 9.18637), 14.6644)),
    "alpha080": lambda b:
        rank(sign(delta(indneutralize(_blend(b.open, b.high, 0.868128), b.industry), 4.04545)))
        ** ts_rank(correlation(b.high, b.adv(10), 5.11456), 5.53756) * -1,
    "alpha081": lambda b:
        (rank(log(product(rank(rank(correlation(b.vwap, sum(b.adv(10), 49.6054), 8.47743)) ** 4), 14.9655)))
         < rank(correlation(rank(b.vwap), rank(b.volume), 5.07914))) * -1,
    "alpha082": lambda b:
        min(rank(decay_linear(delta(b.open, 1.46063), 14.8717)),
            ts_rank(decay_linear(correlation(indneutralize(b.volume, b.sector), _blend(b.open, b.open, 0.634196),
                                             17.4842), 6.92131), 13.4283)) * -1,
    "alpha083": lambda b:
        rank(delay((b.high - b.low) / (sum(b.close, 5) / 5), 2)) * rank(rank(b.volume))
        / ((b.high - b.low) / (sum(b.close, 5) / 5) / (b.vwap - b.close)),
    "alpha084": lambda b: signedpower(ts_rank(b.vwap - ts_max(b.vwap, 15.3217), 20.7127), delta(b.close, 4.96796)),
    "alpha085": lambda b:
        rank(correlation(_blend(b.high, b.close, 0.876703), b.adv(30), 9.61331))
        ** rank(correlation(ts_rank((b.high + b.low) / 2, 3.70596), ts_rank(b.volume, 10.1595), 7.11408)),
    "alpha086": lambda b:
        (ts_rank(correlation(b.close, sum(b.adv(20), 14.7444), 6.00049), 20.4195)
         < rank(b.open + b.close - (b.vwap + b.open))) * -1,
    "alpha087": lambda b:
        max(rank(decay_linear(delta(_blend(b.close, b.vwap, 0.369701), 1.91233), 2.65461)),
            ts_rank(decay_linear(abs(correlation(indneutralize(b.adv(81), b.industry), b.close, 13.4132)), 4.89768),
                    14.4535)) * -1,
    "alpha088": lambda b:
        min(rank(decay_linear((rank(b.open) + rank(b.low)) - (rank(b.high) + rank(b.close)), 8.06882)),
            ts_rank(decay_linear(correlation(ts_rank(b.close, 8.44728), ts_rank(b.adv(60), 20.6966), 8.01266),
                                 6.65053), 2.61957)),
    "alpha089": lambda b:
        ts_rank(decay_linear(correlation(_blend(b.low, b.low, 0.967285), b.adv(10), 6.94279), 5.51607), 3.79744)
        - ts_rank(decay_linear(delta(indneutralize(b.vwap, b.industry), 3.48158), 10.1466), 15.3012),
    "alpha090": lambda b:
        rank(b.close - ts_max(b.close, 4.66719))
        ** ts_rank(correlation(indneutralize(b.adv(40), b.subindustry), b.low, 5.38375), 3.21856) * -1,
    "alpha091": lambda b:
        (ts_rank(decay_linear(decay_linear(correlation(indneutralize(b.close, b.industry), b.volume, 9.74928),
                                           16.398), 3.83219), 4.8667)
         - rank(decay_linear(correlation(b.vwap, b.adv(30), 4.01303), 2.6809))) * -1,
    "alpha092": lambda b:
        min(ts_rank(decay_linear((b.high + b.low) / 2 + b.close < b.low + b.open, 14.7221), 18.8683),
            ts_rank(decay_linear(correlation(rank(b.low), rank(b.adv(30)), 7.58555), 6.94024), 6.80584)),
    "alpha093": lambda b:
        ts_rank(decay_linear(correlation(indneutralize(b.vwap, b.industry), b.adv(81), 17.4193), 19.848), 7.54455)
        / rank(decay_linear(delta(_blend(b.close, b.vwap, 0.524434), 2.77377), 16.2664)),
    "alpha094": lambda b:
        rank(b.vwap - ts_min(b.vwap, 11.5783))
        ** ts_rank(correlation(ts_rank(b.vwap, 19.6462), ts_rank(b.adv(60), 4.02992), 18.0926), 2.70756) * -1,
    "alpha095": lambda b:
        rank(b.open - ts_min(b.open, 12.4105))
        < ts_rank(rank(correlation(sum((b.high + b.low) / 2, 19.1351), sum(b.adv(40), 19.1351), 12.8742)) ** 5,
                  11.7584),
    "alpha096": lambda b:
        max(ts_rank(decay_linear(correlation(rank(b.vwap), rank(b.volume), 3.83878), 4.16783), 8.38151),
            ts_rank(decay_linear(ts_argmax(correlation(ts_rank(b.close, 7.45404), ts_rank(b.adv(60), 4.13242),
                                                       3.65459), 12.6556), 14.0365), 13.4143)) * -1,
    "alpha097": lambda b:
        (rank(decay_linear(delta(indneutralize(_blend(b.low, b.vwap, 0.721001), b.industry), 3.3705), 20.4523))
         - ts_rank(decay_linear(ts_rank(correlation(ts_rank(b.low, 7.87871), ts_rank(b.adv(60), 17.255), 4.97547),
                                        18.5925), 15.7152), 6.71659)) * -1,
    "alpha098": lambda b:
        rank(decay_linear(correlation(b.vwap, sum(b.adv(5), 26.4719), 4.58418), 7.18088))
        - rank(decay_linear(ts_rank(ts_argmin(correlation(rank(b.open), rank(b.adv(15)), 20.8187), 8.62571), 6.95668),
                            8.07206)),
    "alpha099": lambda b:
        (rank(correlation(sum((b.high + b.low) / 2, 19.8975), sum(b.adv(60), 19.8975), 8.8136))
         < rank(correlation(b.low, b.volume, 6.28259))) * -1,
    "alpha100": _alpha100,
    "alpha101": lambda b: (b.close - b.open) / (b.high - b.low + .001),
}
