"""Liu Fubing et al., Guotai Junan Securities, 2017-06-15: the 191 factors of table 6, as the report writes them.

Read by its definitions (page 31): `MAX(A, n)` and `MIN(A, n)` of a number of days are the largest and smallest of
them, of two values the larger and the smaller; truth counts as 1 and 0; `A?B:C` is `where`; powers bind before
products, products before sums, comparisons before `&`.

What cannot stand as printed:

- Names: SMEAN (022) is SMA, MA (078) MEAN, L (052) LOW, VOL (111) VOLUME, DELAT (131) DELTA, HGIH (159) HIGH;
  DELAY(CLOSE) (030, 190) is of 1 day, REGBETA(CLOSE, SEQUENCE, 20) (116) of SEQUENCE(20).
- Windows left out: 10 in 054 (its other window), 12 in 127 (its other window), 20 in 181 (its other windows); 1 for
  the last argument of the outer SMA in 146.
- Brackets: 010 `RANK(MAX(..^2, 5))`; 023 `STD(CLOSE,20):0`; 036 `RANK(SUM(CORR(RANK(VOLUME), RANK(VWAP), 6), 2))`;
  180 takes -1 * VOLUME where volume is not above its mean; 190 takes the mean growth
  `(CLOSE/DELAY(CLOSE,19))^(1/20)-1` from the return as a whole, both times.
- 159 stands as printed, though the ultimate oscillator sums CLOSE - MIN(LOW, DELAY(CLOSE, 1)).
- 028 is 3K - 2D of 057 and 096: its second denominator, `MAX(HIGH,9)-TSMAX(LOW,9)`, is that of K misprinted.
- 165 and 183 are rescaled ranges: SUMAC the running sum within the window of deviations from the window's mean, MAX
  and MIN over the window, and their difference divided by STD; as printed only MIN would be.
- 166 has the constants of the sample skewness, and `(CLOSE/DELAY(CLOSE,1),20)^2` is no expression: minus skewness.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.library.plain import (
    Column,
    abs,
    correlation,
    covariance,
    decay_linear,
    delay,
    delta,
    log,
    max,
    mean,
    min,
    product,
    rank,
    sign,
    stddev,
    sum,
    ts_max,
    ts_min,
    ts_rank,
    where,
)
from tests.library.plain_gtja191_b import (
    Bars,
    adx,
    climbs,
    count,
    downward,
    ease,
    falls,
    filtered_beta,
    gain,
    growth,
    highday,
    k,
    long_less_short,
    loss,
    lowday,
    macd,
    off_mean,
    place,
    pressure,
    regbeta,
    regresi,
    rescaled_range,
    rises,
    scan,
    signed_volume,
    skewness,
    sma,
    sumif,
    swing,
    triple,
    upward,
    williams,
    wma,
)


def _gtja004(b: Bars) -> Column:
    mean8, mean2, busy = sum(b.close, 8) / 8, sum(b.close, 2) / 2, b.volume / mean(b.volume, 20)
    return where(
        mean8 + stddev(b.close, 8) < mean2,
        -1,
        where(mean2 < mean8 - stddev(b.close, 8), 1, where((busy > 1) | (busy == 1), 1, -1)),
    )


def _gtja019(b: Bars) -> Column:
    before = delay(b.close, 5)
    change = b.close - before
    return where(b.close < before, change / before, where(b.close == before, 0, change / b.close))


def _signs(b: Bars) -> Column:
    c0, c1, c2, c3 = (delay(b.close, d) for d in range(4))
    return sign(c0 - c1) + sign(c1 - c2) + sign(c2 - c3)


def _gtja069(b: Bars) -> Column:
    up, down = sum(b.dtm, 20), sum(b.dbm, 20)
    return where(up > down, (up - down) / up, where(up == down, 0, (up - down) / down))


def _gtja086(b: Bars) -> Column:
    bend = (delay(b.close, 20) - delay(b.close, 10)) / 10 - (delay(b.close, 10) - b.close) / 10
    return where(bend > 0.25, -1, where(bend < 0, 1, -1 * (b.close - delay(b.close, 1))))


def _gtja098(b: Bars) -> Column:
    slope = delta(sum(b.close, 100) / 100, 100) / delay(b.close, 100)
    return where((slope < 0.05) | (slope == 0.05), -1 * (b.close - ts_min(b.close, 100)), -1 * delta(b.close, 3))


def _gtja127(b: Bars) -> Column:
    return mean((100 * (b.close - ts_max(b.close, 12)) / ts_max(b.close, 12)) ** 2, 12) ** (1 / 2)


def _gtja128(b: Bars) -> Column:
    flow, before = b.typical * b.volume, delay(b.typical, 1)
    return 100 - 100 / (1 + sum(where(b.typical > before, flow, 0), 14) / sum(where(b.typical < before, flow, 0), 14))


def _gtja146(b: Bars) -> Column:
    rest = growth(b.close, 1) - sma(growth(b.close, 1), 61, 2)
    return mean(rest, 20) * rest / sma((growth(b.close, 1) - rest) ** 2, 60, 1)


def _gtja149(b: Bars) -> Column:
    before = delay(b.benchmark_close, 1)
    return filtered_beta(b.ret, b.benchmark_close / before - 1, 252, b.benchmark_close < before)


def _gtja159(b: Bars) -> Column:
    bottom, top = min(b.low, delay(b.close, 1)), max(b.high, delay(b.close, 1))

    def bought(d: int) -> Column:
        return (b.close - sum(bottom, d)) / sum(top - bottom, d)

    weighted = bought(6) * 12 * 24 + bought(12) * 6 * 24 + bought(24) * 6 * 24
    return weighted * 100 / (6 * 12 + 6 * 24 + 12 * 24)


def _gtja162(b: Bars) -> Column:
    rsi = rises(b.close, 12)
    return (rsi - ts_min(rsi, 12)) / (ts_max(rsi, 12) - ts_min(rsi, 12))


def _gtja164(b: Bars) -> Column:
    inverse = where(b.close > delay(b.close, 1), 1 / (b.close - delay(b.close, 1)), 1)
    return sma((inverse - ts_min(inverse, 12)) / (b.high - b.low) * 100, 13, 2)


def _gtja181(b: Bars) -> Column:
    stock, index = b.ret - mean(b.ret, 20), b.benchmark_close - mean(b.benchmark_close, 20)
    return sum(stock - index**2, 20) / sum(index**3, 20)


def _gtja182(b: Bars) -> Column:
    up = (b.close > b.open) & (b.benchmark_close > b.benchmark_open)
    down = (b.close < b.open) & (b.benchmark_close < b.benchmark_open)
    return count(up | down, 20) / 20


def _gtja190(b: Bars) -> Column:
    usual = (b.close / delay(b.close, 19)) ** (1 / 20) - 1
    above, below, square = b.ret > usual, b.ret < usual, (b.ret - usual) ** 2
    return log((count(above, 20) - 1) * sumif(square, 20, below) / (count(below, 20) * sumif(square, 20, above)))


# fmt: off
GTJA191: dict[str, Callable[[Bars], Column]] = {
    "gtja001": lambda b: -1 * correlation(rank(delta(log(b.volume), 1)), rank((b.close - b.open) / b.open), 6),
    "gtja002": lambda b: -1 * delta(place(b), 1),
    "gtja003": lambda b: pressure(b, 6),
    "gtja004": _gtja004,
    "gtja005": lambda b: -1 * ts_max(correlation(ts_rank(b.volume, 5), ts_rank(b.high, 5), 5), 3),
    "gtja006": lambda b: rank(sign(delta(b.open * 0.85 + b.high * 0.15, 4))) * -1,
    "gtja007": lambda b:
        (rank(ts_max(b.vwap - b.close, 3)) + rank(ts_min(b.vwap - b.close, 3))) * rank(delta(b.volume, 3)),
    "gtja008": lambda b: rank(delta((b.high + b.low) / 2 * 0.2 + b.vwap * 0.8, 4) * -1),
    "gtja009": lambda b: sma(ease(b), 7, 2),
    "gtja010": lambda b: rank(ts_max(where(b.ret < 0, stddev(b.ret, 20), b.close) ** 2, 5)),
    "gtja011": lambda b: sum(place(b) * b.volume, 6),
    "gtja012": lambda b: rank(b.open - sum(b.vwap, 10) / 10) * (-1 * rank(abs(b.close - b.vwap))),
    "gtja013": lambda b: (b.high * b.low) ** 0.5 - b.vwap,
    "gtja014": lambda b: b.close - delay(b.close, 5),
    "gtja015": lambda b: b.open / delay(b.close, 1) - 1,
    "gtja016": lambda b: -1 * ts_max(rank(correlation(rank(b.volume), rank(b.vwap), 5)), 5),
    "gtja017": lambda b: rank(b.vwap - ts_max(b.vwap, 15)) ** delta(b.close, 5),
    "gtja018": lambda b: b.close / delay(b.close, 5),
    "gtja019": _gtja019,
    "gtja020": lambda b: growth(b.close, 6) * 100,
    "gtja021": lambda b: regbeta(mean(b.close, 6), 6),
    "gtja022": lambda b: sma(off_mean(b, 6) - delay(off_mean(b, 6), 3), 12, 1),
    "gtja023": lambda b: upward(b) / (upward(b) + downward(b)) * 100,
    "gtja024": lambda b: sma(b.close - delay(b.close, 5), 5, 1),
    "gtja025": lambda b:
        -1 * rank(delta(b.close, 7) * (1 - rank(decay_linear(b.volume / mean(b.volume, 20), 9))))
        * (1 + rank(sum(b.ret, 250))),
    "gtja026": lambda b: sum(b.close, 7) / 7 - b.close + correlation(b.vwap, delay(b.close, 5), 230),
    "gtja027": lambda b: wma(growth(b.close, 3) * 100 + growth(b.close, 6) * 100, 12),
    "gtja028": lambda b: 3 * k(b) - 2 * sma(k(b), 3, 1),
    "gtja029": lambda b: growth(b.close, 6) * b.volume,
    "gtja030": lambda b: wma(regresi(b.close / delay(b.close, 1) - 1, b.mkt, b.smb, b.hml, 60) ** 2, 20),
    "gtja031": lambda b: off_mean(b, 12) * 100,
    "gtja032": lambda b: -1 * sum(rank(correlation(rank(b.high), rank(b.volume), 3)), 3),
    "gtja033": lambda b:
        (-1 * ts_min(b.low, 5) + delay(ts_min(b.low, 5), 5)) * rank((sum(b.ret, 240) - sum(b.ret, 20)) / 220)
        * ts_rank(b.volume, 5),
    "gtja034": lambda b: mean(b.close, 12) / b.close,
    "gtja035": lambda b:
        min(rank(decay_linear(delta(b.open, 1), 15)),
            rank(decay_linear(correlation(b.volume, b.open * 0.65 + b.open * 0.35, 17), 7))) * -1,
    "gtja036": lambda b: rank(sum(correlation(rank(b.volume), rank(b.vwap), 6), 2)),
    "gtja037": lambda b: -1 * rank(delta(sum(b.open, 5) * sum(b.ret, 5), 10)),
    "gtja038": lambda b: where(sum(b.high, 20) / 20 < b.high, -1 * delta(b.high, 2), 0),
    "gtja039": lambda b:
        (rank(decay_linear(delta(b.close, 2), 8))
         - rank(decay_linear(correlation(b.vwap * 0.3 + b.open * 0.7, sum(mean(b.volume, 180), 37), 14), 12))) * -1,
    "gtja040": lambda b:
        sum(where(b.close > delay(b.close, 1), b.volume, 0), 26)
        / sum(where(b.close <= delay(b.close, 1), b.volume, 0), 26) * 100,
    "gtja041": lambda b: rank(ts_max(delta(b.vwap, 3), 5)) * -1,
    "gtja042": lambda b: -1 * rank(stddev(b.high, 10)) * correlation(b.high, b.volume, 10),
    "gtja043": lambda b: signed_volume(b, 6),
    "gtja044": lambda b:
        ts_rank(decay_linear(correlation(b.low, mean(b.volume, 10), 7), 6), 4)
        + ts_rank(decay_linear(delta(b.vwap, 3), 10), 15),
    "gtja045": lambda b:
        rank(delta(b.close * 0.6 + b.open * 0.4, 1)) * rank(correlation(b.vwap, mean(b.volume, 150), 15)),
    "gtja046": lambda b:
        (mean(b.close, 3) + mean(b.close, 6) + mean(b.close, 12) + mean(b.close, 24)) / (4 * b.close),
    "gtja047": lambda b: sma(williams(b), 9, 1),
    "gtja048": lambda b: -1 * (rank(_signs(b)) * sum(b.volume, 5)) / sum(b.volume, 20),
    "gtja049": lambda b: falls(b) / (falls(b) + climbs(b)),
    "gtja050": lambda b: climbs(b) / (climbs(b) + falls(b)) - falls(b) / (falls(b) + climbs(b)),
    "gtja051": lambda b: climbs(b) / (climbs(b) + falls(b)),
    "gtja052": lambda b:
        sum(max(b.high - delay(b.typical, 1), 0), 26) / sum(max(delay(b.typical, 1) - b.low, 0), 26) * 100,
    "gtja053": lambda b: count(b.close > delay(b.close, 1), 12) / 12 * 100,
    "gtja054": lambda b:
        -1 * rank(stddev(abs(b.close - b.open), 10) + (b.close - b.open) + correlation(b.close, b.open, 10)),
    "gtja055": lambda b: sum(swing(b), 20),
    "gtja056": lambda b:
        rank(b.open - ts_min(b.open, 12))
        < rank(rank(correlation(sum((b.high + b.low) / 2, 19), sum(mean(b.volume, 40), 19), 13)) ** 5),
    "gtja057": k,
    "gtja058": lambda b: count(b.close > delay(b.close, 1), 20) / 20 * 100,
    "gtja059": lambda b: pressure(b, 20),
    "gtja060": lambda b: sum(place(b) * b.volume, 20),
    "gtja061": lambda b:
        max(rank(decay_linear(delta(b.vwap, 1), 12)),
            rank(decay_linear(rank(correlation(b.low, mean(b.volume, 80), 8)), 17))) * -1,
    "gtja062": lambda b: -1 * correlation(b.high, rank(b.volume), 5),
    "gtja063": lambda b: rises(b.close, 6),
    "gtja064": lambda b:
        max(rank(decay_linear(correlation(rank(b.vwap), rank(b.volume), 4), 4)),
            rank(decay_linear(ts_max(correlation(rank(b.close), rank(mean(b.volume, 60)), 4), 13), 14))) * -1,
    "gtja065": lambda b: mean(b.close, 6) / b.close,
    "gtja066": lambda b: off_mean(b, 6) * 100,
    "gtja067": lambda b: rises(b.close, 24),
    "gtja068": lambda b: sma(ease(b), 15, 2),
    "gtja069": _gtja069,
    "gtja070": lambda b: stddev(b.amount, 6),
    "gtja071": lambda b: off_mean(b, 24) * 100,
    "gtja072": lambda b: sma(williams(b), 15, 1),
    "gtja073": lambda b:
        (ts_rank(decay_linear(decay_linear(correlation(b.close, b.volume, 10), 16), 4), 5)
         - rank(decay_linear(correlation(b.vwap, mean(b.volume, 30), 4), 3))) * -1,
    "gtja074": lambda b:
        rank(correlation(sum(b.low * 0.35 + b.vwap * 0.65, 20), sum(mean(b.volume, 40), 20), 7))
        + rank(correlation(rank(b.vwap), rank(b.volume), 6)),
    "gtja075": lambda b:
        count((b.close > b.open) & (b.benchmark_close < b.benchmark_open), 50)
        / count(b.benchmark_close < b.benchmark_open, 50),
    "gtja076": lambda b: stddev(abs(b.ret) / b.volume, 20) / mean(abs(b.ret) / b.volume, 20),
    "gtja077": lambda b:
        min(rank(decay_linear((b.high + b.low) / 2 + b.high - (b.vwap + b.high), 20)),
            rank(decay_linear(correlation((b.high + b.low) / 2, mean(b.volume, 40), 3), 6))),
    "gtja078": lambda b:
        (b.typical - mean(b.typical, 12)) / (0.015 * mean(abs(b.close - mean(b.typical, 12)), 12)),
    "gtja079": lambda b: rises(b.close, 12),
    "gtja080": lambda b: growth(b.volume, 5) * 100,
    "gtja081": lambda b: sma(b.volume, 21, 2),
    "gtja082": lambda b: sma(williams(b), 20, 1),
    "gtja083": lambda b: -1 * rank(covariance(rank(b.high), rank(b.volume), 5)),
    "gtja084": lambda b: signed_volume(b, 20),
    "gtja085": lambda b: ts_rank(b.volume / mean(b.volume, 20), 20) * ts_rank(-1 * delta(b.close, 7), 8),
    "gtja086": _gtja086,
    "gtja087": lambda b:
        (rank(decay_linear(delta(b.vwap, 4), 7))
         + ts_rank(decay_linear((b.low * 0.9 + b.low * 0.1 - b.vwap) / (b.open - (b.high + b.low) / 2), 11), 7)) * -1,
    "gtja088": lambda b: growth(b.close, 20) * 100,
    "gtja089": lambda b: 2 * (macd(b.close) - sma(macd(b.close), 10, 2)),
    "gtja090": lambda b: rank(correlation(rank(b.vwap), rank(b.volume), 5)) * -1,
    "gtja091": lambda b:
        rank(b.close - ts_max(b.close, 5)) * rank(correlation(mean(b.volume, 40), b.low, 5)) * -1,
    "gtja092": lambda b:
        max(rank(decay_linear(delta(b.close * 0.35 + b.vwap * 0.65, 2), 3)),
            ts_rank(decay_linear(abs(correlation(mean(b.volume, 180), b.close, 13)), 5), 15)) * -1,
    "gtja093": lambda b:
        sum(where(b.open >= delay(b.open, 1), 0, max(b.open - b.low, b.open - delay(b.open, 1))), 20),
    "gtja094": lambda b: signed_volume(b, 30),
    "gtja095": lambda b: stddev(b.amount, 20),
    "gtja096": lambda b: sma(k(b), 3, 1),
    "gtja097": lambda b: stddev(b.volume, 10),
    "gtja098": _gtja098,
    "gtja099": lambda b: -1 * rank(covariance(rank(b.close), rank(b.volume), 5)),
    "gtja100": lambda b: stddev(b.volume, 20),
    "gtja101": lambda b:
        (rank(correlation(b.close, sum(mean(b.volume, 30), 37), 15))
         < rank(correlation(rank(b.high * 0.1 + b.vwap * 0.9), rank(b.volume), 11))) * -1,
    "gtja102": lambda b: rises(b.volume, 6),
    "gtja103": lambda b: (20 - lowday(b.low, 20)) / 20 * 100,
    "gtja104": lambda b: -1 * (delta(correlation(b.high, b.volume, 5), 5) * rank(stddev(b.close, 20))),
    "gtja105": lambda b: -1 * correlation(rank(b.open), rank(b.volume), 10),
    "gtja106": lambda b: b.close - delay(b.close, 20),
    "gtja107": lambda b:
        -1 * rank(b.open - delay(b.high, 1)) * rank(b.open - delay(b.close, 1)) * rank(b.open - delay(b.low, 1)),
    "gtja108": lambda b:
        rank(b.high - ts_min(b.high, 2)) ** rank(correlation(b.vwap, mean(b.volume, 120), 6)) * -1,
    "gtja109": lambda b: sma(b.high - b.low, 10, 2) / sma(sma(b.high - b.low, 10, 2), 10, 2),
    "gtja110": lambda b:
        sum(max(b.high - delay(b.close, 1), 0), 20) / sum(max(delay(b.close, 1) - b.low, 0), 20) * 100,
    "gtja111": lambda b: sma(b.volume * place(b), 11, 2) - sma(b.volume * place(b), 4, 2),
    "gtja112": lambda b: (gain(b) - loss(b)) / (gain(b) + loss(b)) * 100,
    "gtja113": lambda b:
        -1 * (rank(sum(delay(b.close, 5), 20) / 20) * correlation(b.close, b.volume, 2)
              * rank(correlation(sum(b.close, 5), sum(b.close, 20), 2))),
    "gtja114": lambda b:
        rank(delay((b.high - b.low) / (sum(b.close, 5) / 5), 2)) * rank(rank(b.volume))
        / ((b.high - b.low) / (sum(b.close, 5) / 5) / (b.vwap - b.close)),
    "gtja115": lambda b:
        rank(correlation(b.high * 0.9 + b.close * 0.1, mean(b.volume, 30), 10))
        ** rank(correlation(ts_rank((b.high + b.low) / 2, 4), ts_rank(b.volume, 10), 7)),
    "gtja116": lambda b: regbeta(b.close, 20),
    "gtja117": lambda b:
        ts_rank(b.volume, 32) * (1 - ts_rank(b.close + b.high - b.low, 16)) * (1 - ts_rank(b.ret, 32)),
    "gtja118": lambda b: sum(b.high - b.open, 20) / sum(b.open - b.low, 20) * 100,
    "gtja119": lambda b:
        rank(decay_linear(correlation(b.vwap, sum(mean(b.volume, 5), 26), 5), 7))
        - rank(decay_linear(ts_rank(ts_min(correlation(rank(b.open), rank(mean(b.volume, 15)), 21), 9), 7), 8)),
    "gtja120": lambda b: rank(b.vwap - b.close) / rank(b.vwap + b.close),
    "gtja121": lambda b:
        rank(b.vwap - ts_min(b.vwap, 12))
        ** ts_rank(correlation(ts_rank(b.vwap, 20), ts_rank(mean(b.volume, 60), 2), 18), 3) * -1,
    "gtja122": lambda b: growth(triple(log(b.close)), 1),
    "gtja123": lambda b:
        (rank(correlation(sum((b.high + b.low) / 2, 20), sum(mean(b.volume, 60), 20), 9))
         < rank(correlation(b.low, b.volume, 6))) * -1,
    "gtja124": lambda b: (b.close - b.vwap) / decay_linear(rank(ts_max(b.close, 30)), 2),
    "gtja125": lambda b:
        rank(decay_linear(correlation(b.vwap, mean(b.volume, 80), 17), 20))
        / rank(decay_linear(delta(b.close * 0.5 + b.vwap * 0.5, 3), 16)),
    "gtja126": lambda b: (b.close + b.high + b.low) / 3,
    "gtja127": _gtja127,
    "gtja128": _gtja128,
    "gtja129": loss,
    "gtja130": lambda b:
        rank(decay_linear(correlation((b.high + b.low) / 2, mean(b.volume, 40), 9), 10))
        / rank(decay_linear(correlation(rank(b.vwap), rank(b.volume), 7), 3)),
    "gtja131": lambda b: rank(delta(b.vwap, 1)) ** ts_rank(correlation(b.close, mean(b.volume, 50), 18), 18),
    "gtja132": lambda b: mean(b.amount, 20),
    "gtja133": lambda b: (20 - highday(b.high, 20)) / 20 * 100 - (20 - lowday(b.low, 20)) / 20 * 100,
    "gtja134": lambda b: growth(b.close, 12) * b.volume,
    "gtja135": lambda b: sma(delay(b.close / delay(b.close, 20), 1), 20, 1),
    "gtja136": lambda b: -1 * rank(delta(b.ret, 3)) * correlation(b.open, b.volume, 10),
    "gtja137": swing,
    "gtja138": lambda b:
        (rank(decay_linear(delta(b.low * 0.7 + b.vwap * 0.3, 3), 20))
         - ts_rank(decay_linear(ts_rank(correlation(ts_rank(b.low, 8), ts_rank(mean(b.volume, 60), 17), 5), 19), 16),
                   7)) * -1,
    "gtja139": lambda b: -1 * correlation(b.open, b.volume, 10),
    "gtja140": lambda b:
        min(rank(decay_linear((rank(b.open) + rank(b.low)) - (rank(b.high) + rank(b.close)), 8)),
            ts_rank(decay_linear(correlation(ts_rank(b.close, 8), ts_rank(mean(b.volume, 60), 20), 8), 7), 3)),
    "gtja141": lambda b: rank(correlation(rank(b.high), rank(mean(b.volume, 15)), 9)) * -1,
    "gtja142": lambda b:
        -1 * rank(ts_rank(b.close, 10)) * rank(delta(delta(b.close, 1), 1))
        * rank(ts_rank(b.volume / mean(b.volume, 20), 5)),
    "gtja143": lambda b: scan(b.close > delay(b.close, 1), growth(b.close, 1)),
    "gtja144": lambda b:
        sumif(abs(b.ret) / b.amount, 20, b.close < delay(b.close, 1)) / count(b.close < delay(b.close, 1), 20),
    "gtja145": lambda b: (mean(b.volume, 9) - mean(b.volume, 26)) / mean(b.volume, 12) * 100,
    "gtja146": _gtja146,
    "gtja147": lambda b: regbeta(mean(b.close, 12), 12),
    "gtja148": lambda b:
        (rank(correlation(b.open, sum(mean(b.volume, 60), 9), 6)) < rank(b.open - ts_min(b.open, 14))) * -1,
    "gtja149": _gtja149,
    "gtja150": lambda b: (b.close + b.high + b.low) / 3 * b.volume,
    "gtja151": lambda b: sma(b.close - delay(b.close, 20), 20, 1),
    "gtja152": lambda b: sma(long_less_short(sma(delay(b.close / delay(b.close, 9), 1), 9, 1)), 9, 1),
    "gtja153": lambda b: (mean(b.close, 3) + mean(b.close, 6) + mean(b.close, 12) + mean(b.close, 24)) / 4,
    "gtja154": lambda b: b.vwap - ts_min(b.vwap, 16) < correlation(b.vwap, mean(b.volume, 180), 18),
    "gtja155": lambda b: macd(b.volume) - sma(macd(b.volume), 10, 2),
    "gtja156": lambda b:
        max(rank(decay_linear(delta(b.vwap, 5), 3)),
            rank(decay_linear(delta(b.open * 0.15 + b.low * 0.85, 2) / (b.open * 0.15 + b.low * 0.85) * -1, 3))) * -1,
    "gtja157": lambda b:
        ts_min(product(rank(rank(log(sum(ts_min(rank(rank(-1 * rank(delta(b.close - 1, 5)))), 2), 1)))), 1), 5)
        + ts_rank(delay(-1 * b.ret, 6), 5),
    "gtja158": lambda b: ((b.high - sma(b.close, 15, 2)) - (b.low - sma(b.close, 15, 2))) / b.close,
    "gtja159": _gtja159,
    "gtja160": downward,
    "gtja161": lambda b: mean(b.tr, 12),
    "gtja162": _gtja162,
    "gtja163": lambda b: rank(-1 * b.ret * mean(b.volume, 20) * b.vwap * (b.high - b.close)),
    "gtja164": _gtja164,
    "gtja165": lambda b: rescaled_range(b.close, 48),
    "gtja166": lambda b: -skewness(b.ret, 20),
    "gtja167": gain,
    "gtja168": lambda b: -1 * b.volume / mean(b.volume, 20),
    "gtja169": lambda b: sma(long_less_short(sma(b.close - delay(b.close, 1), 9, 1)), 10, 1),
    "gtja170": lambda b:
        rank(1 / b.close) * b.volume / mean(b.volume, 20) * (b.high * rank(b.high - b.close) / (sum(b.high, 5) / 5))
        - rank(b.vwap - delay(b.vwap, 5)),
    "gtja171": lambda b: -1 * ((b.low - b.close) * b.open ** 5) / ((b.close - b.high) * b.close ** 5),
    "gtja172": adx,
    "gtja173": lambda b:
        3 * sma(b.close, 13, 2) - 2 * sma(sma(b.close, 13, 2), 13, 2) + triple(log(b.close)),
    "gtja174": upward,
    "gtja175": lambda b: mean(b.tr, 6),
    "gtja176": lambda b:
        correlation(rank((b.close - ts_min(b.low, 12)) / (ts_max(b.high, 12) - ts_min(b.low, 12))), rank(b.volume), 6),
    "gtja177": lambda b: (20 - highday(b.high, 20)) / 20 * 100,
    "gtja178": lambda b: growth(b.close, 1) * b.volume,
    "gtja179": lambda b:
        rank(correlation(b.vwap, b.volume, 4)) * rank(correlation(rank(b.low), rank(mean(b.volume, 50)), 12)),
    "gtja180": lambda b:
        where(mean(b.volume, 20) < b.volume, -1 * ts_rank(abs(delta(b.close, 7)), 60) * sign(delta(b.close, 7)),
              -1 * b.volume),
    "gtja181": _gtja181,
    "gtja182": _gtja182,
    "gtja183": lambda b: rescaled_range(b.close, 24),
    "gtja184": lambda b: rank(correlation(delay(b.open - b.close, 1), b.close, 200)) + rank(b.open - b.close),
    "gtja185": lambda b: rank(-1 * (1 - b.open / b.close) ** 2),
    "gtja186": lambda b: (adx(b) + delay(adx(b), 6)) / 2,
    "gtja187": lambda b:
        sum(where(b.open <= delay(b.open, 1), 0, max(b.high - b.open, b.open - delay(b.open, 1))), 20),
    "gtja188": lambda b: (b.high - b.low - sma(b.high - b.low, 11, 2)) / sma(b.high - b.low, 11, 2) * 100,
    "gtja189": lambda b: mean(abs(b.close - mean(b.close, 6)), 6),
    "gtja190": _gtja190,
    "gtja191": lambda b: correlation(mean(b.volume, 20), b.low, 5) + (b.high + b.low) / 2 - b.close,
}
