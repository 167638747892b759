"""Patterns of one candle, and the measures that all candlestick patterns share.

A pattern is 100 or -100 where it occurs, with the sign given for each, and 0 where it does not; missing where a price
that it reads is. A candle is white where it closes at or above its open, otherwise black. Long and short are relative
to the bars before the candle, by TA-Lib's default settings. No pattern requires a trend before it.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import Literal, NamedTuple

from factorloom.expressions.column import close, high, low, open_
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.operators import ts_delay, ts_mean, where
from factorloom.expressions.operators.cell.arithmetic import max as larger
from factorloom.expressions.operators.cell.arithmetic import min as smaller

__all__ = [
    "cdlbelthold",
    "cdlclosingmarubozu",
    "cdldoji",
    "cdldragonflydoji",
    "cdlgravestonedoji",
    "cdlhighwave",
    "cdllongleggeddoji",
    "cdllongline",
    "cdlmarubozu",
    "cdlshortline",
    "cdlspinningtop",
    "cdltakuri",
]


class Size(NamedTuple):
    """A share of a part of a candle: of its mean over a window of bars before, or for window 0 of the candle itself."""

    part: Literal["body", "span", "shadows"]
    window: int
    share: float


SIZES = {
    "BodyLong": Size("body", 10, 1.0),
    "BodyShort": Size("body", 10, 1.0),
    "BodyDoji": Size("span", 10, 0.1),
    "ShadowLong": Size("body", 0, 1.0),
    "ShadowVeryLong": Size("body", 0, 2.0),
    "ShadowShort": Size("shadows", 10, 0.5),
    "ShadowVeryShort": Size("span", 10, 0.1),
    "Near": Size("span", 5, 0.2),
    "Far": Size("span", 5, 0.6),
    "Equal": Size("span", 5, 0.05),
}
"""TA-Lib's default candle settings, in which a short shadow is one half of the mean of both."""


@dataclass(frozen=True)
class Candle:
    """The prices of a bar, and its properties by itself and relative to the bars before it."""

    open: Factor
    high: Factor
    low: Factor
    close: Factor

    @property
    def top(self) -> Factor:
        return larger(self.open, self.close)

    @property
    def bottom(self) -> Factor:
        return smaller(self.open, self.close)

    @property
    def body(self) -> Factor:
        return abs(self.close - self.open)

    @property
    def span(self) -> Factor:
        return self.high - self.low

    @property
    def upper(self) -> Factor:
        return self.high - self.top

    @property
    def lower(self) -> Factor:
        return self.bottom - self.low

    @property
    def shadows(self) -> Factor:
        return self.upper + self.lower

    @property
    def white(self) -> Factor:
        return self.close >= self.open

    @property
    def black(self) -> Factor:
        return self.close < self.open

    @property
    def colour(self) -> Factor:
        """1 where white, -1 where black."""
        return where(self.white, 1, -1)

    def size(self, name: str) -> Factor:
        """The value of a TA-Lib candle setting on this bar."""
        part, window, share = SIZES[name]
        measure: Factor = getattr(self, part)
        return share * (ts_delay(ts_mean(measure, window), 1) if window else measure)

    @property
    def long(self) -> Factor:
        return self.body > self.size("BodyLong")

    @property
    def doji(self) -> Factor:
        return self.body <= self.size("BodyDoji")

    @property
    def shaven_head(self) -> Factor:
        """Without an upper shadow, or a very short one."""
        return self.upper < self.size("ShadowVeryShort")

    @property
    def shaven_bottom(self) -> Factor:
        """Without a lower shadow, or a very short one."""
        return self.lower < self.size("ShadowVeryShort")

    @property
    def marubozu(self) -> Factor:
        return self.long * self.shaven_head * self.shaven_bottom


def last(bars: int, *prices: Factor) -> list[Candle]:
    """The candles of the last bars, the oldest first."""
    return [Candle(*(ts_delay(price, ago) if ago else price for price in prices)) for ago in reversed(range(bars))]


def signal(value: Factor | float, *conditions: Factor) -> Factor:
    """The value where all conditions hold, 0 where one does not, and missing where one is missing.

    A product and not `&`, which is false where one condition is false and another missing.
    """
    return where(reduce(operator.mul, conditions), value, 0)


@technical("CDLDOJI")
def cdldoji(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Doji: open and close are nearly equal; 100, which is neither rise nor fall.

    Source: TA-Lib, CDLDOJI; S. Nison, Japanese Candlestick Charting Techniques, 1991.
    """
    bar = Candle(open_, high, low, close)
    return signal(100, bar.doji)


@technical("CDLDRAGONFLYDOJI")
def cdldragonflydoji(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Dragonfly doji: a doji with a lower shadow and no upper one; 100, a rejected low.

    Source: TA-Lib, CDLDRAGONFLYDOJI; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    bar = Candle(open_, high, low, close)
    return signal(100, bar.doji, bar.shaven_head, bar.lower > bar.size("ShadowVeryShort"))


@technical("CDLGRAVESTONEDOJI")
def cdlgravestonedoji(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Gravestone doji: a doji with an upper shadow and no lower one; 100, though it is read as a fall.

    Source: TA-Lib, CDLGRAVESTONEDOJI; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    bar = Candle(open_, high, low, close)
    return signal(100, bar.doji, bar.shaven_bottom, bar.upper > bar.size("ShadowVeryShort"))


@technical("CDLLONGLEGGEDDOJI")
def cdllongleggeddoji(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Long-legged doji: a doji with a shadow longer than its body; 100, which is neither rise nor fall.

    Source: TA-Lib, CDLLONGLEGGEDDOJI; S. Nison, Japanese Candlestick Charting Techniques, 1991.
    """
    bar = Candle(open_, high, low, close)
    return signal(100, bar.doji, larger(bar.upper, bar.lower) > bar.size("ShadowLong"))


@technical("CDLSPINNINGTOP")
def cdlspinningtop(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Spinning top: a short body within longer shadows; the sign is the colour of the candle.

    Source: TA-Lib, CDLSPINNINGTOP; S. Nison, Japanese Candlestick Charting Techniques, 1991.
    """
    bar = Candle(open_, high, low, close)
    return signal(100 * bar.colour, bar.body < bar.size("BodyShort"), smaller(bar.upper, bar.lower) > bar.body)


@technical("CDLHIGHWAVE")
def cdlhighwave(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """High wave: a short body within very long shadows; the sign is the colour of the candle.

    Source: TA-Lib, CDLHIGHWAVE; S. Nison, Japanese Candlestick Charting Techniques, 1991.
    """
    bar = Candle(open_, high, low, close)
    return signal(
        100 * bar.colour, bar.body < bar.size("BodyShort"), smaller(bar.upper, bar.lower) > bar.size("ShadowVeryLong")
    )


@technical("CDLMARUBOZU")
def cdlmarubozu(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Marubozu: a long body without shadows; the sign is the colour of the candle.

    Source: TA-Lib, CDLMARUBOZU; S. Nison, Japanese Candlestick Charting Techniques, 1991.
    """
    bar = Candle(open_, high, low, close)
    return signal(100 * bar.colour, bar.marubozu)


@technical("CDLCLOSINGMARUBOZU")
def cdlclosingmarubozu(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Closing marubozu: a long body without a shadow at its close; the sign is the colour of the candle.

    Source: TA-Lib, CDLCLOSINGMARUBOZU.
    """
    bar = Candle(open_, high, low, close)
    return signal(100 * bar.colour, bar.long, where(bar.white, bar.shaven_head, bar.shaven_bottom))


@technical("CDLBELTHOLD")
def cdlbelthold(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Belt hold: a long body without a shadow at its open; the sign is the colour of the candle.

    Source: TA-Lib, CDLBELTHOLD; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    bar = Candle(open_, high, low, close)
    return signal(100 * bar.colour, bar.long, where(bar.white, bar.shaven_bottom, bar.shaven_head))


@technical("CDLLONGLINE")
def cdllongline(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Long line: a long body with short shadows; the sign is the colour of the candle.

    Source: TA-Lib, CDLLONGLINE.
    """
    bar = Candle(open_, high, low, close)
    return signal(100 * bar.colour, bar.long, larger(bar.upper, bar.lower) < bar.size("ShadowShort"))


@technical("CDLSHORTLINE")
def cdlshortline(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Short line: a short body with short shadows; the sign is the colour of the candle.

    Source: TA-Lib, CDLSHORTLINE.
    """
    bar = Candle(open_, high, low, close)
    return signal(
        100 * bar.colour, bar.body < bar.size("BodyShort"), larger(bar.upper, bar.lower) < bar.size("ShadowShort")
    )


@technical("CDLTAKURI")
def cdltakuri(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Takuri line: a doji with no upper shadow and a very long lower one; 100, a rejected low.

    Source: TA-Lib, CDLTAKURI.

    Note: No trend before it is required, as in TA-Lib. A very long shadow is longer than twice the body, as in TA-
    Lib; others ask for three times the body.
    """
    bar = Candle(open_, high, low, close)
    return signal(100, bar.doji, bar.shaven_head, bar.lower > bar.size("ShadowVeryLong"))
