"""Candlestick patterns of two and three bars; values and measures are those of patterns of one candle."""

from __future__ import annotations

from factorloom.expressions.column import close, high, low, open_
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.ta.candle import Candle, last, signal
from factorloom.expressions.library.ta.registry import technical
from factorloom.expressions.operators import where

__all__ = [
    "cdl3blackcrows",
    "cdl3inside",
    "cdl3outside",
    "cdl3whitesoldiers",
    "cdldarkcloudcover",
    "cdldojistar",
    "cdlengulfing",
    "cdleveningdojistar",
    "cdleveningstar",
    "cdlhammer",
    "cdlhangingman",
    "cdlharami",
    "cdlharamicross",
    "cdlinvertedhammer",
    "cdlkicking",
    "cdlmatchinglow",
    "cdlmorningdojistar",
    "cdlmorningstar",
    "cdlpiercing",
    "cdlshootingstar",
]


@technical("CDLHAMMER")
def cdlhammer(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Hammer: a short body over a long shadow, near or below the low before; 100, a fall that ends.

    Source: TA-Lib, CDLHAMMER; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: The first value is one bar before TA-Lib's. A long shadow is longer than the body, as in TA-Lib; Nison
    asks for twice the body. No trend before it is required, as in TA-Lib.
    """
    before, bar = last(2, open_, high, low, close)
    return signal(100, *_hammer(bar), bar.bottom <= before.low + before.size("Near"))


@technical("CDLHANGINGMAN")
def cdlhangingman(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Hanging man: the shape of a hammer near or above the high before; -100, a rise that ends.

    Source: TA-Lib, CDLHANGINGMAN; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: The first value is one bar before TA-Lib's. A long shadow is longer than the body, as in TA-Lib; Nison
    asks for twice the body. No trend before it is required, as in TA-Lib.
    """
    before, bar = last(2, open_, high, low, close)
    return signal(-100, *_hammer(bar), bar.bottom >= before.high - before.size("Near"))


@technical("CDLINVERTEDHAMMER")
def cdlinvertedhammer(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Inverted hammer: a short body under a long shadow, below the body before; 100, a fall that ends.

    Source: TA-Lib, CDLINVERTEDHAMMER; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: The first value is one bar before TA-Lib's. A long shadow is longer than the body, as in TA-Lib; Nison
    asks for twice the body. No trend before it is required, as in TA-Lib.
    """
    before, bar = last(2, open_, high, low, close)
    return signal(100, *_inverted_hammer(bar), bar.top < before.bottom)


@technical("CDLSHOOTINGSTAR")
def cdlshootingstar(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Shooting star: the shape of an inverted hammer above the body before; -100, a rise that ends.

    Source: TA-Lib, CDLSHOOTINGSTAR; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: The first value is one bar before TA-Lib's. A long shadow is longer than the body, as in TA-Lib; Nison
    asks for twice the body. No trend before it is required, as in TA-Lib.
    """
    before, bar = last(2, open_, high, low, close)
    return signal(-100, *_inverted_hammer(bar), bar.bottom > before.top)


@technical("CDLENGULFING")
def cdlengulfing(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Engulfing: a body that contains the one before, of the other colour; the sign is its own colour.

    Source: TA-Lib, CDLENGULFING; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: 80 instead of 100 where the two bodies share an end, as in TA-Lib, whose first value is one bar later. No
    trend before it is required, as in TA-Lib.
    """
    before, bar = last(2, open_, high, low, close)
    wider = (bar.top > before.top) | (bar.bottom < before.bottom)
    return signal(_grade(bar, before) * bar.colour, bar.white != before.white, *_engulfs(bar, before), wider)


@technical("CDLHARAMI")
def cdlharami(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Harami: a short body within the long one before; the sign is against the colour of the long one.

    Source: TA-Lib, CDLHARAMI; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: 80 instead of 100 where the two bodies share an end, as in TA-Lib. No trend before it is required, as in
    TA-Lib.
    """
    before, bar = last(2, open_, high, low, close)
    is_short = bar.body <= bar.size("BodyShort")
    return signal(-_grade(before, bar) * before.colour, before.long, is_short, *_engulfs(before, bar))


@technical("CDLHARAMICROSS")
def cdlharamicross(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Harami cross: a doji within the long body before; the sign is against the colour of the long one.

    Source: TA-Lib, CDLHARAMICROSS; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: 80 instead of 100 where the two bodies share an end, as in TA-Lib. No trend before it is required, as in
    TA-Lib.
    """
    before, bar = last(2, open_, high, low, close)
    return signal(-_grade(before, bar) * before.colour, before.long, bar.doji, *_engulfs(before, bar))


@technical("CDLPIERCING")
def cdlpiercing(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Piercing line: a long white body from below a long black candle to above its middle; 100, a fall that ends.

    Source: TA-Lib, CDLPIERCING; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    before, bar = last(2, open_, high, low, close)
    rises = (bar.open < before.low) * (bar.close > before.close + before.body * 0.5)
    return signal(100, before.black, before.long, bar.white, bar.long, rises, bar.close < before.open)


@technical("CDLDARKCLOUDCOVER")
def cdldarkcloudcover(
    open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close, penetration: float = 0.5
) -> Factor:
    """Dark cloud cover: a black body from above a long white candle to well within it; -100, a rise that ends.

    Source: TA-Lib, CDLDARKCLOUDCOVER; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    before, bar = last(2, open_, high, low, close)
    falls = (bar.open > before.high) * (bar.close < before.close - before.body * penetration)
    return signal(-100, before.white, before.long, bar.black, falls, bar.close > before.open)


@technical("CDLDOJISTAR")
def cdldojistar(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Doji star: a doji beyond a long body, on the side of its close; the sign is against its colour.

    Source: TA-Lib, CDLDOJISTAR; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    before, bar = last(2, open_, high, low, close)
    gap = where(before.white, bar.bottom > before.top, bar.top < before.bottom)
    return signal(-100 * before.colour, before.long, bar.doji, gap)


@technical("CDLMATCHINGLOW")
def cdlmatchinglow(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Matching low: two black candles with nearly equal closes; 100, a fall that ends.

    Source: TA-Lib, CDLMATCHINGLOW; G. L. Morris, Candlestick Charting Explained, 1995.

    Note: No trend before it is required, as in TA-Lib. The first candle need not be long, as in TA-Lib; Morris asks
    for it.
    """
    before, bar = last(2, open_, high, low, close)
    near = before.size("Equal")
    equal = (bar.close <= before.close + near) * (bar.close >= before.close - near)
    return signal(100, before.black, bar.black, equal)


@technical("CDLKICKING")
def cdlkicking(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Kicking: a marubozu, a gap, and one of the other colour beyond it; the sign is the colour of the second.

    Source: TA-Lib, CDLKICKING; G. L. Morris, Candlestick Charting Explained, 1995.
    """
    before, bar = last(2, open_, high, low, close)
    gap = where(bar.white, bar.low > before.high, bar.high < before.low)
    return signal(100 * bar.colour, before.white != bar.white, before.marubozu, bar.marubozu, gap)


@technical("CDLMORNINGSTAR")
def cdlmorningstar(
    open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close, penetration: float = 0.3
) -> Factor:
    """Morning star: a long black body, a short one below, a white one well into the first; 100, a fall that ends.

    Source: TA-Lib, CDLMORNINGSTAR; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    first, star, bar = last(3, open_, high, low, close)
    is_short = star.body <= star.size("BodyShort")
    return signal(100, is_short, *_turns_up(first, star, bar, penetration))


@technical("CDLEVENINGSTAR")
def cdleveningstar(
    open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close, penetration: float = 0.3
) -> Factor:
    """Evening star: a long white body, a short one above, a black one well into the first; -100, a rise that ends.

    Source: TA-Lib, CDLEVENINGSTAR; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    first, star, bar = last(3, open_, high, low, close)
    is_short = star.body <= star.size("BodyShort")
    return signal(-100, is_short, *_turns_down(first, star, bar, penetration))


@technical("CDLMORNINGDOJISTAR")
def cdlmorningdojistar(
    open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close, penetration: float = 0.3
) -> Factor:
    """Morning doji star: a morning star of which the middle one is a doji; 100, a fall that ends.

    Source: TA-Lib, CDLMORNINGDOJISTAR; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    first, star, bar = last(3, open_, high, low, close)
    return signal(100, star.doji, *_turns_up(first, star, bar, penetration))


@technical("CDLEVENINGDOJISTAR")
def cdleveningdojistar(
    open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close, penetration: float = 0.3
) -> Factor:
    """Evening doji star: an evening star of which the middle one is a doji; -100, a rise that ends.

    Source: TA-Lib, CDLEVENINGDOJISTAR; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    first, star, bar = last(3, open_, high, low, close)
    return signal(-100, star.doji, *_turns_down(first, star, bar, penetration))


@technical("CDL3WHITESOLDIERS")
def cdl3whitesoldiers(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Three white soldiers: white bodies, each from within or near the last to a higher close; 100, a rise.

    Source: TA-Lib, CDL3WHITESOLDIERS; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: No trend before it is required, as in TA-Lib.
    """
    first, second, third = last(3, open_, high, low, close)
    soldiers = [condition for bar in (first, second, third) for condition in (bar.white, bar.shaven_head)]
    not_short = third.body > third.size("BodyShort")
    return signal(100, *soldiers, *_advances(first, second), *_advances(second, third), not_short)


@technical("CDL3BLACKCROWS")
def cdl3blackcrows(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Three black crows: black bodies, each from within the last to a lower close; -100, a fall.

    Source: TA-Lib, CDL3BLACKCROWS; S. Nison, Japanese Candlestick Charting Techniques, 1991.

    Note: The first value is one bar before TA-Lib's. The candle before the three is white, as in TA-Lib, and no
    other trend is required.
    """
    before, first, second, third = last(4, open_, high, low, close)
    crows = [condition for bar in (first, second, third) for condition in (bar.black, bar.shaven_bottom)]
    return signal(
        -100, before.white, before.high > first.close, *crows, *_declines(first, second), *_declines(second, third)
    )


@technical("CDL3INSIDE")
def cdl3inside(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Three inside: a harami, and a close beyond its first body; the sign is that of the harami.

    Source: TA-Lib, CDL3INSIDE; G. L. Morris, Candlestick Charting Explained, 1995.

    Note: No trend before it is required, as in TA-Lib.
    """
    first, second, third = last(3, open_, high, low, close)
    inside = (second.top < first.top) * (second.bottom > first.bottom)
    leaves = where(first.white, third.black * (third.close < first.open), third.white * (third.close > first.open))
    is_short = second.body <= second.size("BodyShort")
    return signal(-100 * first.colour, first.long, is_short, inside, leaves)


@technical("CDL3OUTSIDE")
def cdl3outside(open_: Factor = open_, high: Factor = high, low: Factor = low, close: Factor = close) -> Factor:
    """Three outside: a body that engulfs the one before, and a close further on; the sign is that of the engulfing.

    Source: TA-Lib, CDL3OUTSIDE; G. L. Morris, Candlestick Charting Explained, 1995.

    Note: The first value is one bar before TA-Lib's. No trend before it is required, as in TA-Lib.
    """
    first, second, third = last(3, open_, high, low, close)
    outside = (second.top > first.top) * (second.bottom < first.bottom)
    goes_on = where(second.white, third.close > second.close, third.close < second.close)
    return signal(100 * second.colour, first.white != second.white, outside, goes_on)


def _hammer(bar: Candle) -> tuple[Factor, ...]:
    return bar.body < bar.size("BodyShort"), bar.lower > bar.size("ShadowLong"), bar.shaven_head


def _inverted_hammer(bar: Candle) -> tuple[Factor, ...]:
    return bar.body < bar.size("BodyShort"), bar.upper > bar.size("ShadowLong"), bar.shaven_bottom


def _engulfs(outer: Candle, inner: Candle) -> tuple[Factor, ...]:
    return outer.top >= inner.top, outer.bottom <= inner.bottom


def _grade(outer: Candle, inner: Candle) -> Factor:
    """100 where a body contains another without sharing an end, otherwise 80."""
    return where((outer.top > inner.top) * (outer.bottom < inner.bottom), 100, 80)


def _turns_up(first: Candle, star: Candle, bar: Candle, penetration: float) -> tuple[Factor, ...]:
    returns = bar.close > first.close + first.body * penetration
    return first.black, first.long, star.top < first.bottom, bar.white, bar.body > bar.size("BodyShort"), returns


def _turns_down(first: Candle, star: Candle, bar: Candle, penetration: float) -> tuple[Factor, ...]:
    returns = bar.close < first.close - first.body * penetration
    return first.white, first.long, star.bottom > first.top, bar.black, bar.body > bar.size("BodyShort"), returns


def _advances(before: Candle, bar: Candle) -> tuple[Factor, ...]:
    within = (bar.open > before.open) * (bar.open <= before.close + before.size("Near"))
    return within, bar.close > before.close, bar.body > before.body - before.size("Far")


def _declines(before: Candle, bar: Candle) -> tuple[Factor, ...]:
    within = (bar.open < before.open) * (bar.open > before.close)
    return within, bar.close < before.close
