"""Technical indicators against the 86 series that another library expects of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

import factorloom as fl
from factorloom.expressions.library import ta
from tests.oracle import to_array

Array = npt.NDArray[np.float64]
Record = dict[str, Any]

PRICES = ("open", "high", "low", "close", "volume")

TIMES = {"timestamp", "date"}
other = fl.col("other_close")
middle = ta.medprice()
bar = fl.ts_cumsum(0 * fl.close + 1)
"""The number of the bar, from 1."""


def named(names: str, *factors: fl.Factor) -> dict[str, fl.Factor]:
    return dict(zip(names.split(), factors, strict=True))


def held(price: fl.Factor, peak: fl.Factor) -> fl.Factor:
    """The last fractal that has been confirmed."""
    return fl.ts_fill_forward(fl.where(peak, fl.ts_delay(price, 2)))


def centred(price: fl.Factor, peak: fl.Factor) -> fl.Factor:
    """The price of a fractal on its own bar, which is two bars before it is known."""
    return fl.where(fl.ts_lead(peak, 2), price)


def band_of(side: int, line: fl.Factor, direction: fl.Factor) -> fl.Factor:
    return fl.where(direction == side, line)


def from_first(x: fl.Factor, window: int) -> fl.Factor:
    """An exponential average from the first value, not from the mean of the first window."""
    return fl.ts_ema(x, window, min_samples=1)


def averages(window: int) -> tuple[fl.Factor, fl.Factor, fl.Factor]:
    """An average that starts from a mean, and averages of it that start from its first value."""
    first = ta.ema(window=window)
    second = fl.where(first == first, from_first(first, window))
    return first, second, fl.where(first == first, from_first(second, window))


def t3_from_first(window: int, share: float) -> fl.Factor:
    layers = [fl.close]
    for _ in range(6):
        layers.append(from_first(layers[-1], window))
    weights = (-(share**3), 3 * share**2 * (1 + share), -3 * share * (1 + share) ** 2, (1 + share) ** 3)
    return sum((w * layer for w, layer in zip(weights[1:], layers[5:2:-1], strict=True)), weights[0] * layers[6])


def smi_from_first() -> tuple[fl.Factor, fl.Factor]:
    top, bottom = fl.ts_max(fl.high, 13), fl.ts_min(fl.low, 13)
    apart, reach = (from_first(from_first(x, 25), 2) for x in (fl.close - (top + bottom) / 2, (top - bottom) / 2))
    line = fl.where(top == top, 100 * apart / reach)
    return line, fl.where(top == top, from_first(line, 3))


def extremes_ago(window: int) -> tuple[fl.Factor, fl.Factor]:
    """Aroon of the oldest of equal extremes; TA-Lib takes the newest."""
    return tuple(100 - fl.ts_argmin(x, window + 1, ties="oldest") * 100 / window for x in (fl.low, -fl.high))  # type: ignore[return-value]


def pivots() -> tuple[fl.Factor, ...]:
    """The middle of the last 20 bars, and three lines below and above it."""
    top, bottom = (fl.ts_delay(x, 1) for x in ta.donchian()[::2])
    point = (top + bottom + fl.ts_delay(fl.close, 1)) / 3
    below = (2 * point - top, point - (top - bottom), bottom - 2 * (top - point))
    return point, *below, 2 * point - bottom, point + (top - bottom), top + 2 * (point - bottom)


money = fl.where(fl.high > fl.low, (2 * fl.close - fl.high - fl.low) / (fl.high - fl.low), 0)
macd, macd_signal, macd_hist = ta.macd()
true_high, true_low = fl.max_of(fl.high, fl.ts_delay(fl.close, 1)), fl.min_of(fl.low, fl.ts_delay(fl.close, 1))
upper, sma20, lower = ta.bbands()
kc_upper, kc_middle, kc_lower = ta.kc(fl.close)
dc_upper, dc_middle, dc_lower = (fl.ts_delay(x, 1) for x in ta.donchian())
jaw, teeth, lips = ta.alligator()
peak, trough = ta.fractal()
share = (middle - fl.ts_min(middle, 10, min_samples=1)) / (
    fl.ts_max(middle, 10, min_samples=1) - fl.ts_min(middle, 10, min_samples=1)
)
fisher_line = fl.ts_fisher(fl.fill(share, 0.5))
fisher = (fisher_line, fl.ts_delay(fisher_line, 1))
gator = (abs(jaw - teeth), -abs(teeth - lips))
force = {"moneyFlowMultiplier": money, "moneyFlowVolume": money * fl.volume}
stoch_k, stoch_d = ta.stoch(window=14)
stoch = (stoch_k, stoch_d, 3 * stoch_k - 2 * stoch_d)
spread = ta.stddev(window=14)
pvo_signal = ta.ema(ta.pvo(), 9)
first_volume = fl.ts_cumsum(fl.where(fl.is_missing(fl.ts_delay(fl.volume, 1)), fl.volume, 0))
roc20 = ta.roc(window=20)
roc_width = fl.sqrt(ta.sma(fl.square(roc20), 5))
tsi = ta.tsi()
eri = ta.eri()

MAPPED: dict[str, dict[str, fl.Factor]] = {
    "adl": {"adl": ta.ad(), **force},
    "adx": named(
        "pdi mdi dx adx adxr",
        ta.plus_di(),
        ta.minus_di(),
        ta.dx(),
        ta.adx(),
        (ta.adx() + fl.ts_delay(ta.adx(), 14)) / 2,
    ),
    "alligator": named("jaw teeth lips", jaw, teeth, lips),
    "alma": {"alma": ta.alma()},
    "aroon": named("aroonDown aroonUp oscillator", *extremes_ago(25), extremes_ago(25)[1] - extremes_ago(25)[0]),
    "atr": named("tr atr atrp", ta.trange(), ta.atr(), ta.natr()),
    "atr-stop": {
        "atrStop": ta.atr_stop()[0],
        "buyStop": band_of(-1, *ta.atr_stop()),
        "sellStop": band_of(1, *ta.atr_stop()),
        "atr": ta.atr(window=21),
    },
    "awesome": {"oscillator": ta.ao(), "normalized": 100 * ta.ao() / middle},
    "barpart": {"value": fl.close},
    "bb": named(
        "sma upperBand lowerBand percentB zScore width",
        *(sma20, upper, lower, (fl.close - lower) / (upper - lower)),
        *((fl.close - sma20) / ta.stddev(window=20), (upper - lower) / sma20),
    ),
    "beta": named(
        "beta returnsEval returnsMrkt",
        ta.beta(fl.close, other, 50),
        *(fl.fill(fl.ts_pct_change(x, 1), 0) for x in (other, fl.close)),
    ),
    "bop": {"bop": ta.sma(ta.bop(), 14)},
    "cci": {"cci": ta.cci(window=20)},
    "chaikin-osc": {
        **force,
        "adl": ta.ad(),
        "oscillator": ta.ema(ta.ad(), 3) - ta.ema(ta.ad(), 10),
        "fastEma": ta.ema(ta.ad(), 3),
        "slowEma": ta.ema(ta.ad(), 10),
    },
    "chexit": {"chandelierExit": ta.chandelier()[0]},
    "chop": {
        "chop": 100
        * fl.log(fl.ts_sum(ta.trange(), 14) / (fl.ts_max(true_high, 14) - fl.ts_min(true_low, 14)))
        / math.log(14)
    },
    "cmf": {**force, "cmf": ta.cmf()},
    "cmo": {"cmo": ta.cmou()},
    "corr": named(
        "varianceA varianceB covariance correlation rSquared",
        *(ta.var(other, 20), ta.var(window=20), fl.ts_cov(other, fl.close, 20) * 19 / 20),
        *(ta.correl(other, fl.close, 20), fl.square(ta.correl(other, fl.close, 20))),
    ),
    "crsi": named(
        "streak rsi rsiStreak connorsRsi",
        *(fl.ts_streak(fl.close), ta.rsi(window=3), fl.where(bar > 4, ta.rsi(fl.ts_streak(fl.close), 2))),
        ta.crsi(),
    ),
    "dema": {"dema": 2 * averages(14)[0] - averages(14)[1]},
    "donchian": named(
        "upperBand centerline lowerBand width", dc_upper, dc_middle, dc_lower, (dc_upper - dc_lower) / dc_middle
    ),
    "dpo": {"dpo": fl.ts_lead(ta.dpo(window=14), 8), "sma": fl.ts_lead(ta.sma(window=14), 8)},
    "dynamic": {"dynamic": ta.mcginley(window=14)},
    "elder-ray": named("bullPower bearPower ema", *eri, ta.ema(window=13)),
    "ema": {"ema": ta.ema(window=20)},
    "epma": {"epma": ta.linearreg(window=10)},
    "fcb": named("upperBand lowerBand", held(fl.high, peak), held(fl.low, trough)),
    "fisher": named("fisher trigger", *fisher),
    "force": {"forceIndex": ta.efi(window=2)},
    "fractal": named("fractalBear fractalBull", centred(fl.high, peak), centred(fl.low, trough)),
    "gator": named(
        "upper lower upperIsExpanding lowerIsExpanding", *gator, *(abs(x) > fl.ts_delay(abs(x), 1) for x in gator)
    ),
    "heikinashi": named("open high low close volume", *ta.ha(), fl.volume),
    "hma": {"hma": ta.hma(window=14)},
    "ichimoku": named(
        "tenkanSen kijunSen senkouSpanA senkouSpanB chikouSpan", *ta.ichimoku(), fl.ts_lead(fl.close, 26)
    ),
    "kama": named("kama er", fl.where(bar == 10, fl.close, ta.kama(window=10)), ta.er()),
    "keltner": named(
        "upperBand centerline lowerBand width", kc_upper, kc_middle, kc_lower, (kc_upper - kc_lower) / kc_middle
    ),
    "ma-env": named("upperEnvelope centerline lowerEnvelope", *ta.envelope()),
    "macd": named(
        "macd signal histogram fastEma slowEma", macd, macd_signal, macd_hist, ta.ema(window=12), ta.ema(window=26)
    ),
    "mfi": {"mfi": ta.mfi()},
    "obv": {"obv": ta.obv() - first_volume},
    "pivots": named("highPoint lowPoint", centred(fl.high, peak), centred(fl.low, trough)),
    "pmo": named("pmo signal", *ta.pmo()),
    "prs": {"prs": other / fl.close, "prsPercent": fl.ts_pct_change(other, 20) - fl.ts_pct_change(fl.close, 20)},
    "pvo": named("pvo signal histogram", ta.pvo(), pvo_signal, ta.pvo() - pvo_signal),
    "roc-wb": named("roc rocEma upperBand lowerBand", roc20, ta.ema(roc20, 5), roc_width, -roc_width),
    "roc": named("momentum roc", ta.mom(window=14), ta.roc(window=14)),
    "rolling-pivots": named("pp s1 s2 s3 r1 r2 r3", *pivots()),
    "rsi": {"rsi": ta.rsi()},
    "slope": named(
        "slope intercept stdDev rSquared",
        ta.linearreg_slope(),
        ta.linearreg() - ta.linearreg_slope() * bar,
        spread,
        fl.square(ta.correl(fl.close, bar, 14)),
    ),
    "sma": {"sma": ta.sma(window=20)},
    "sma-analysis": {"sma": ta.sma(window=20), "mad": ta.avgdev(window=20), "mse": ta.var(window=20)},
    "smi": named("smi signal", *smi_from_first()),
    "smma": {"smma": ta.rma(window=20)},
    "starc": named("upperBand centerline lowerBand", *ta.starc()),
    "stc": {"stc": ta.sma(100 * fl.ts_scale(ta.apo(fast=23, slow=50), 10), 3)},
    "stdev": named("stdDev mean zScore", spread, ta.sma(window=14), (fl.close - ta.sma(window=14)) / spread),
    "stoch": named("oscillator signal percentJ k d j", *stoch, *stoch),
    "stoch-rsi": named("stochRsi signal", *ta.stochrsi(window=14)),
    "supertrend": {
        "superTrend": ta.supertrend()[0],
        "upperBand": band_of(-1, *ta.supertrend()),
        "lowerBand": band_of(1, *ta.supertrend()),
    },
    "t3": {"t3": t3_from_first(5, 0.7)},
    "tema": {"tema": 3 * averages(20)[0] - 3 * averages(20)[1] + averages(20)[2]},
    "tr": {"tr": ta.trange()},
    "trix": {"trix": ta.roc(averages(14)[2], 1), "ema3": fl.where(bar > 14, averages(14)[2])},
    "tsi": {"tsi": tsi, "signal": ta.ema(tsi, 7)},
    "uo": {"ultimate": ta.ultosc()},
    "vortex": named("pvi nvi", *ta.vortex()),
    "vwap": {"vwap": ta.vwap()},
    "vwma": {"vwma": ta.vwma(window=14)},
    "willr": {"williamsR": ta.willr()},
    "vol-stop": {"sar": ta.volatility_stop()},
    "wma": {"wma": ta.wma(window=14)},
}

LATER: dict[tuple[str, str], tuple[fl.Factor, int, str]] = {
    ("crsi", "percentRank"): (ta.percentrank(ta.roc(window=1)), 101, "one bar earlier there, from 99 returns"),
    ("psar", "sar"): (ta.sar(), 251, "another guess of the first trend there, which is felt until bar 250"),
}
"""What is equal from a bar on."""

CYCLE = "measures cycles, which this set is free of"
NONE = "has no value in the file"
REPAINTS = "repaints: is drawn anew as later bars come"
OTHER = "compares the body with its own bar there, and with the bars before it in TA-Lib and here"
UNEQUAL: dict[str, str] = {
    "beta betaUp betaDown ratio convexity": NONE,
    "doji price match candle": OTHER,
    "htl dcPeriods trendline smoothPrice": CYCLE,
    "hurst hurstExponent hurstExponentAL": "an estimate over windows within windows, which nobody else defines so",
    "kvo oscillator signal": "Klinger's force has |2 * (range / swing - 1)| there, and |2 * range / swing - 1| here",
    "mama mama fama": CYCLE,
    "marubozu price match candle": OTHER,
    "pivot-points pp s1 s2 s3 s4 r1 r2 r3 r4": "the pivots of a calendar month; windows count bars here",
    "pivots highLine lowLine highTrend lowTrend": REPAINTS,
    "psar isReversal": "the side of the stop, which is not told here",
    "renko isUp open high low close volume": "bricks, not bars",
    "renko-atr isUp open high low close volume": "bricks, not bars",
    "rolling-pivots s4 r4": NONE,
    "slope line": REPAINTS,
    "sma-analysis mape": "distances of all values of a window from its last mean",
    "stdev-channels centerline upperChannel lowerChannel breakPoint": REPAINTS,
    "ulcer ulcerIndex ui": "falls from the peak of one window there, from that of each bar's own window here",
    "vol-stop isStop upperBand lowerBand": "the side of the stop, which is not told here",
    "zigzag zigZag pointType retraceHigh retraceLow": REPAINTS,
    "zigzag-close zigZag pointType retraceHigh retraceLow": REPAINTS,
}
"""What cannot be equal, and why: a file and its fields."""


@pytest.fixture(scope="module")
def folder(data_folder: Path) -> Path:
    return data_folder / "indicators"


@pytest.fixture(scope="module")
def panel(folder: Path) -> fl.Panel:
    bars, beside = (_bars(folder / "bars" / f"{name}.csv") for name in ("default", "compare"))
    both = bars.join(beside.select("date", other_close="close"), on="date", how="left", maintain_order="left")
    return fl.Panel.from_frame(both.with_columns(symbol=pl.lit("A")))


def _bars(path: Path) -> pl.DataFrame:
    text = path.read_text(encoding="utf-8-sig").encode()
    return pl.read_csv(text).select(pl.col("date").str.to_date(), pl.col(PRICES).cast(pl.Float64))


def expected(folder: Path, name: str) -> list[Record]:
    records: list[Record] = json.loads((folder / "expected" / f"{name}.standard.json").read_text())
    return records


def of_field(records: list[Record], field: str) -> Array:
    return np.array([np.nan if record[field] is None else float(record[field]) for record in records])


def close_to(values: Array, right: Array) -> bool:
    """The same cells missing, the others equal to 1e-9 of the column's largest value."""
    assert np.isfinite(right).any()
    return np.allclose(values, right, rtol=0, atol=1e-9 * np.nanmax(np.abs(right)), equal_nan=True)


@pytest.mark.parametrize("name", MAPPED)
def test_a_series_is_equal(panel: fl.Panel, folder: Path, name: str) -> None:
    records, table = expected(folder, name), panel.compute(MAPPED[name])
    assert [field for field in MAPPED[name] if not close_to(to_array(table[field]), of_field(records, field))] == []


@pytest.mark.parametrize("series", LATER, ids=" ".join)
def test_a_series_is_equal_from_a_bar_on(panel: fl.Panel, folder: Path, series: tuple[str, str]) -> None:
    factor, start, _ = LATER[series]
    values, right = to_array(panel.compute(value=factor)["value"]), of_field(expected(folder, series[0]), series[1])
    assert close_to(values[start:], right[start:])
    assert not close_to(values, right)


def test_every_field_is_compared_or_excepted(folder: Path) -> None:
    files = {path.name.partition(".")[0] for path in (folder / "expected").glob("*.json")}
    assert len(files) == 86
    fields = {(name, field) for name in files for field in expected(folder, name)[0]}
    assert {field for field in fields if field[1] not in TIMES} == set(_told())


def _told() -> Iterator[tuple[str, str]]:
    yield from LATER
    for name, factors in MAPPED.items():
        yield from ((name, field) for field in factors)
    for told in UNEQUAL:
        name, *fields = told.split()
        yield from ((name, field) for field in fields)
