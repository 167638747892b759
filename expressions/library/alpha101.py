"""The "101 Formulaic Alphas" of WorldQuant, as published by Z. Kakushadze.

Source: Z. Kakushadze, "101 Formulaic Alphas", arXiv 1601.00991 (2016); formulas in appendix A, operators in A.1, inputs
in A.2.

What the paper says. adv20 is the average dollar volume of 20 days. A window that is no whole number is rounded down;
much public code rounds 3.7 to 4. min(x, d) and max(x, d) of a number of days are ts_min and ts_max, which is alpha029
alone; of two expressions they are the smaller and the larger. indneutralize takes off the mean of the group. A
condition is 1 or 0. signedpower(x, a) is x^a; its bases, in 001 and 084, are never negative, and the sign does not
matter. A negative number to a fractional power would be missing: that can only be in 041, where a low is negative.

What it leaves open. Here rank is the percent rank, in (0, 1], where WorldQuant's platform scales it to [0, 1]:
`rank="unit"`. ts_rank is in (0, 1] in both. The day of ts_argmax and ts_argmin counts from 1, the oldest of the window,
and ties take the oldest. Windows need all of their values: a decay_linear over a gap is missing, not reweighted.
Deviations and covariances divide by d - 1. vwap is a column; a typical price is often used in its place.

`sum(x, d) / d` is written as a mean; sums and products of one bar, factors of 1 and powers of 1 are left out.
Unambiguous formulas are kept as printed, even where a misprint is likely.

Known errors of public code, not followed here: alpha001 without the constant; alpha036 and alpha047 (and alpha032)
divide a mean by the window again; alpha038 ranks the open along time, not the close; alpha010 without the outer rank;
alpha029 without ts_min.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from factorloom.expressions.errors import ParameterError
from factorloom.expressions.factor import Factor
from factorloom.expressions.library.library import Library, read_formulas
from factorloom.expressions.operators import cs_count, cs_rank

__all__ = ["alpha101"]

SOURCE = "Z. Kakushadze, arXiv 1601.00991 (2016), appendix A"

PARTS = {
    "location": "(close - low - (high - close)) / (high - low)",
    "range": "(high - low) / ts_mean(close, 5)",
    "bend": "(ts_delay(close, 20) - ts_delay(close, 10)) / 10 - (ts_delay(close, 10) - close) / 10",
    "blend": "open * 0.147155 + low * (1 - 0.147155)",
}
"""Terms that several formulas share. A name in braces stands for one of them, or for an average volume."""

TURNOVER = {"dollar": "vwap * volume", "shares": "volume"}
AVERAGED = (5, 10, 15, 20, 30, 40, 50, 60, 81, 120, 150, 180)
"""The days of the average volumes."""

FORMULAS = {
    "alpha001": "cs_rank(ts_argmax(where(returns < 0, ts_std(returns, 20), close) ** 2, 5, origin='start') + 1) - 0.5",
    "alpha002": "-ts_corr(cs_rank(ts_delta(log(volume), 2)), cs_rank((close - open) / open), 6)",
    "alpha003": "-ts_corr(cs_rank(open), cs_rank(volume), 10)",
    "alpha004": "-ts_rank(cs_rank(low), 9)",
    "alpha005": "cs_rank(open - ts_mean(vwap, 10)) * -abs(cs_rank(close - vwap))",
    "alpha006": "-ts_corr(open, volume, 10)",
    "alpha007": "where({adv20} < volume, -ts_rank(abs(ts_delta(close, 7)), 60) * sign(ts_delta(close, 7)), -1)",
    "alpha008": "-cs_rank(ts_delta(ts_sum(open, 5) * ts_sum(returns, 5), 10))",
    "alpha009": "where((0 < ts_min(ts_delta(close, 1), 5)) | (ts_max(ts_delta(close, 1), 5) < 0),"
    " ts_delta(close, 1), -ts_delta(close, 1))",
    "alpha010": "cs_rank(where((0 < ts_min(ts_delta(close, 1), 4)) | (ts_max(ts_delta(close, 1), 4) < 0),"
    " ts_delta(close, 1), -ts_delta(close, 1)))",
    "alpha011": "(cs_rank(ts_max(vwap - close, 3)) + cs_rank(ts_min(vwap - close, 3))) * cs_rank(ts_delta(volume, 3))",
    "alpha012": "sign(ts_delta(volume, 1)) * -ts_delta(close, 1)",
    "alpha013": "-cs_rank(ts_cov(cs_rank(close), cs_rank(volume), 5))",
    "alpha014": "-cs_rank(ts_delta(returns, 3)) * ts_corr(open, volume, 10)",
    "alpha015": "-ts_sum(cs_rank(ts_corr(cs_rank(high), cs_rank(volume), 3)), 3)",
    "alpha016": "-cs_rank(ts_cov(cs_rank(high), cs_rank(volume), 5))",
    "alpha017": "-cs_rank(ts_rank(close, 10)) * cs_rank(ts_delta(ts_delta(close, 1), 1))"
    " * cs_rank(ts_rank(volume / {adv20}, 5))",
    "alpha018": "-cs_rank(ts_std(abs(close - open), 5) + (close - open) + ts_corr(close, open, 10))",
    "alpha019": "-sign(close - ts_delay(close, 7) + ts_delta(close, 7)) * (1 + cs_rank(1 + ts_sum(returns, 250)))",
    "alpha020": "-cs_rank(open - ts_delay(high, 1)) * cs_rank(open - ts_delay(close, 1))"
    " * cs_rank(open - ts_delay(low, 1))",
    "alpha021": "where(ts_mean(close, 8) + ts_std(close, 8) < ts_mean(close, 2), -1,"
    " where(ts_mean(close, 2) < ts_mean(close, 8) - ts_std(close, 8), 1, where(volume / {adv20} >= 1, 1, -1)))",
    "alpha022": "-(ts_delta(ts_corr(high, volume, 5), 5) * cs_rank(ts_std(close, 20)))",
    "alpha023": "where(ts_mean(high, 20) < high, -ts_delta(high, 2), 0)",
    "alpha024": "where(ts_delta(ts_mean(close, 100), 100) / ts_delay(close, 100) <= 0.05,"
    " -(close - ts_min(close, 100)), -ts_delta(close, 3))",
    "alpha025": "cs_rank(-returns * {adv20} * vwap * (high - close))",
    "alpha026": "-ts_max(ts_corr(ts_rank(volume, 5), ts_rank(high, 5), 5), 3)",
    "alpha027": "where(0.5 < cs_rank(ts_mean(ts_corr(cs_rank(volume), cs_rank(vwap), 6), 2)), -1, 1)",
    "alpha028": "cs_scale(ts_corr({adv20}, low, 5) + (high + low) / 2 - close)",
    "alpha029": "ts_min(cs_rank(cs_rank(cs_scale(log("
    "ts_min(cs_rank(cs_rank(-cs_rank(ts_delta(close - 1, 5)))), 2))))), 5) + ts_rank(ts_delay(-returns, 6), 5)",
    "alpha030": "(1 - cs_rank(ts_sum(sign(ts_delta(close, 1)), 3))) * ts_sum(volume, 5) / ts_sum(volume, 20)",
    "alpha031": "cs_rank(cs_rank(cs_rank(ts_decay_linear(-cs_rank(cs_rank(ts_delta(close, 10))), 10))))"
    " + cs_rank(-ts_delta(close, 3)) + sign(cs_scale(ts_corr({adv20}, low, 12)))",
    "alpha032": "cs_scale(ts_mean(close, 7) - close) + 20 * cs_scale(ts_corr(vwap, ts_delay(close, 5), 230))",
    "alpha033": "cs_rank(-(1 - open / close))",
    "alpha034": "cs_rank(1 - cs_rank(ts_std(returns, 2) / ts_std(returns, 5)) + (1 - cs_rank(ts_delta(close, 1))))",
    "alpha035": "ts_rank(volume, 32) * (1 - ts_rank(close + high - low, 16)) * (1 - ts_rank(returns, 32))",
    "alpha036": "2.21 * cs_rank(ts_corr(close - open, ts_delay(volume, 1), 15)) + 0.7 * cs_rank(open - close)"
    " + 0.73 * cs_rank(ts_rank(ts_delay(-returns, 6), 5)) + cs_rank(abs(ts_corr(vwap, {adv20}, 6)))"
    " + 0.6 * cs_rank((ts_mean(close, 200) - open) * (close - open))",
    "alpha037": "cs_rank(ts_corr(ts_delay(open - close, 1), close, 200)) + cs_rank(open - close)",
    "alpha038": "-cs_rank(ts_rank(close, 10)) * cs_rank(close / open)",
    "alpha039": "-cs_rank(ts_delta(close, 7) * (1 - cs_rank(ts_decay_linear(volume / {adv20}, 9))))"
    " * (1 + cs_rank(ts_sum(returns, 250)))",
    "alpha040": "-cs_rank(ts_std(high, 10)) * ts_corr(high, volume, 10)",
    "alpha041": "(high * low) ** 0.5 - vwap",
    "alpha042": "cs_rank(vwap - close) / cs_rank(vwap + close)",
    "alpha043": "ts_rank(volume / {adv20}, 20) * ts_rank(-ts_delta(close, 7), 8)",
    "alpha044": "-ts_corr(high, cs_rank(volume), 5)",
    "alpha045": "-(cs_rank(ts_mean(ts_delay(close, 5), 20)) * ts_corr(close, volume, 2)"
    " * cs_rank(ts_corr(ts_sum(close, 5), ts_sum(close, 20), 2)))",
    "alpha046": "where(0.25 < {bend}, -1, where({bend} < 0, 1, -ts_delta(close, 1)))",
    "alpha047": "cs_rank(1 / close) * volume / {adv20} * (high * cs_rank(high - close) / ts_mean(high, 5))"
    " - cs_rank(vwap - ts_delay(vwap, 5))",
    "alpha048": "group_demean(ts_corr(ts_delta(close, 1), ts_delta(ts_delay(close, 1), 1), 250) * ts_delta(close, 1)"
    " / close, subindustry) / ts_sum((ts_delta(close, 1) / ts_delay(close, 1)) ** 2, 250)",
    "alpha049": "where({bend} < -0.1, 1, -ts_delta(close, 1))",
    "alpha050": "-ts_max(cs_rank(ts_corr(cs_rank(volume), cs_rank(vwap), 5)), 5)",
    "alpha051": "where({bend} < -0.05, 1, -ts_delta(close, 1))",
    "alpha052": "-ts_delta(ts_min(low, 5), 5) * cs_rank((ts_sum(returns, 240) - ts_sum(returns, 20)) / 220)"
    " * ts_rank(volume, 5)",
    "alpha053": "-ts_delta((close - low - (high - close)) / (close - low), 9)",
    "alpha054": "-((low - close) * open ** 5) / ((low - high) * close ** 5)",
    "alpha055": "-ts_corr(cs_rank((close - ts_min(low, 12)) / (ts_max(high, 12) - ts_min(low, 12))),"
    " cs_rank(volume), 6)",
    "alpha056": "-(cs_rank(ts_sum(returns, 10) / ts_sum(ts_sum(returns, 2), 3)) * cs_rank(returns * cap))",
    "alpha057": "-((close - vwap) / ts_decay_linear(cs_rank(ts_argmax(close, 30, origin='start') + 1), 2))",
    "alpha058": "-ts_rank(ts_decay_linear(ts_corr(group_demean(vwap, sector), volume, 3), 7), 5)",
    "alpha059": "-ts_rank(ts_decay_linear("
    "ts_corr(group_demean(vwap * 0.728317 + vwap * (1 - 0.728317), industry), volume, 4), 16), 8)",
    "alpha060": "-(2 * cs_scale(cs_rank({location} * volume))"
    " - cs_scale(cs_rank(ts_argmax(close, 10, origin='start') + 1)))",
    "alpha061": "cs_rank(vwap - ts_min(vwap, 16)) < cs_rank(ts_corr(vwap, {adv180}, 17))",
    "alpha062": "-(cs_rank(ts_corr(vwap, ts_sum({adv20}, 22), 9))"
    " < cs_rank(cs_rank(open) + cs_rank(open) < cs_rank((high + low) / 2) + cs_rank(high)))",
    "alpha063": "-(cs_rank(ts_decay_linear(ts_delta(group_demean(close, industry), 2), 8))"
    " - cs_rank(ts_decay_linear(ts_corr(vwap * 0.318108 + open * (1 - 0.318108), ts_sum({adv180}, 37), 13), 12)))",
    "alpha064": "-(cs_rank(ts_corr(ts_sum(open * 0.178404 + low * (1 - 0.178404), 12), ts_sum({adv120}, 12), 16))"
    " < cs_rank(ts_delta((high + low) / 2 * 0.178404 + vwap * (1 - 0.178404), 3)))",
    "alpha065": "-(cs_rank(ts_corr(open * 0.00817205 + vwap * (1 - 0.00817205), ts_sum({adv60}, 8), 6))"
    " < cs_rank(open - ts_min(open, 13)))",
    "alpha066": "-(cs_rank(ts_decay_linear(ts_delta(vwap, 3), 7)) + ts_rank(ts_decay_linear("
    "(low * 0.96633 + low * (1 - 0.96633) - vwap) / (open - (high + low) / 2), 11), 6))",
    "alpha067": "-(cs_rank(high - ts_min(high, 2))"
    " ** cs_rank(ts_corr(group_demean(vwap, sector), group_demean({adv20}, subindustry), 6)))",
    "alpha068": "-(ts_rank(ts_corr(cs_rank(high), cs_rank({adv15}), 8), 13)"
    " < cs_rank(ts_delta(close * 0.518371 + low * (1 - 0.518371), 1)))",
    "alpha069": "-(cs_rank(ts_max(ts_delta(group_demean(vwap, industry), 2), 4))"
    " ** ts_rank(ts_corr(close * 0.490655 + vwap * (1 - 0.490655), {adv20}, 4), 9))",
    "alpha070": "-(cs_rank(ts_delta(vwap, 1)) ** ts_rank(ts_corr(group_demean(close, industry), {adv50}, 17), 17))",
    "alpha071": "max(ts_rank(ts_decay_linear(ts_corr(ts_rank(close, 3), ts_rank({adv180}, 12), 18), 4), 15),"
    " ts_rank(ts_decay_linear(cs_rank(low + open - (vwap + vwap)) ** 2, 16), 4))",
    "alpha072": "cs_rank(ts_decay_linear(ts_corr((high + low) / 2, {adv40}, 8), 10))"
    " / cs_rank(ts_decay_linear(ts_corr(ts_rank(vwap, 3), ts_rank(volume, 18), 6), 2))",
    "alpha073": "-max(cs_rank(ts_decay_linear(ts_delta(vwap, 4), 2)),"
    " ts_rank(ts_decay_linear(-(ts_delta({blend}, 2) / {blend}), 3), 16))",
    "alpha074": "-(cs_rank(ts_corr(close, ts_sum({adv30}, 37), 15))"
    " < cs_rank(ts_corr(cs_rank(high * 0.0261661 + vwap * (1 - 0.0261661)), cs_rank(volume), 11)))",
    "alpha075": "cs_rank(ts_corr(vwap, volume, 4)) < cs_rank(ts_corr(cs_rank(low), cs_rank({adv50}), 12))",
    "alpha076": "-max(cs_rank(ts_decay_linear(ts_delta(vwap, 1), 11)),"
    " ts_rank(ts_decay_linear(ts_rank(ts_corr(group_demean(low, sector), {adv81}, 8), 19), 17), 19))",
    "alpha077": "min(cs_rank(ts_decay_linear((high + low) / 2 + high - (vwap + high), 20)),"
    " cs_rank(ts_decay_linear(ts_corr((high + low) / 2, {adv40}, 3), 5)))",
    "alpha078": "cs_rank(ts_corr(ts_sum(low * 0.352233 + vwap * (1 - 0.352233), 19), ts_sum({adv40}, 19), 6))"
    " ** cs_rank(ts_corr(cs_rank(vwap), cs_rank(volume), 5))",
    "alpha079": "cs_rank(ts_delta(group_demean(close * 0.60733 + open * (1 - 0.60733), sector), 1))"
    " < cs_rank(ts_corr(ts_rank(vwap, 3), ts_rank({adv150}, 9), 14))",
    "alpha080": "-(cs_rank(sign(ts_delta(group_demean(open * 0.868128 + high * (1 - 0.868128), industry), 4)))"
    " ** ts_rank(ts_corr(high, {adv10}, 5), 5))",
    "alpha081": "-(cs_rank(log(ts_product(cs_rank(cs_rank(ts_corr(vwap, ts_sum({adv10}, 49), 8)) ** 4), 14)))"
    " < cs_rank(ts_corr(cs_rank(vwap), cs_rank(volume), 5)))",
    "alpha082": "-min(cs_rank(ts_decay_linear(ts_delta(open, 1), 14)), ts_rank(ts_decay_linear("
    "ts_corr(group_demean(volume, sector), open * 0.634196 + open * (1 - 0.634196), 17), 6), 13))",
    "alpha083": "cs_rank(ts_delay({range}, 2)) * cs_rank(cs_rank(volume)) / ({range} / (vwap - close))",
    "alpha084": "ts_rank(vwap - ts_max(vwap, 15), 20) ** ts_delta(close, 4)",
    "alpha085": "cs_rank(ts_corr(high * 0.876703 + close * (1 - 0.876703), {adv30}, 9))"
    " ** cs_rank(ts_corr(ts_rank((high + low) / 2, 3), ts_rank(volume, 10), 7))",
    "alpha086": "-(ts_rank(ts_corr(close, ts_sum({adv20}, 14), 6), 20) < cs_rank(open + close - (vwap + open)))",
    "alpha087": "-max(cs_rank(ts_decay_linear(ts_delta(close * 0.369701 + vwap * (1 - 0.369701), 1), 2)),"
    " ts_rank(ts_decay_linear(abs(ts_corr(group_demean({adv81}, industry), close, 13)), 4), 14))",
    "alpha088": "min(cs_rank(ts_decay_linear(cs_rank(open) + cs_rank(low) - (cs_rank(high) + cs_rank(close)), 8)),"
    " ts_rank(ts_decay_linear(ts_corr(ts_rank(close, 8), ts_rank({adv60}, 20), 8), 6), 2))",
    "alpha089": "ts_rank(ts_decay_linear(ts_corr(low * 0.967285 + low * (1 - 0.967285), {adv10}, 6), 5), 3)"
    " - ts_rank(ts_decay_linear(ts_delta(group_demean(vwap, industry), 3), 10), 15)",
    "alpha090": "-(cs_rank(close - ts_max(close, 4))"
    " ** ts_rank(ts_corr(group_demean({adv40}, subindustry), low, 5), 3))",
    "alpha091": "-(ts_rank(ts_decay_linear(ts_decay_linear("
    "ts_corr(group_demean(close, industry), volume, 9), 16), 3), 4)"
    " - cs_rank(ts_decay_linear(ts_corr(vwap, {adv30}, 4), 2)))",
    "alpha092": "min(ts_rank(ts_decay_linear((high + low) / 2 + close < low + open, 14), 18),"
    " ts_rank(ts_decay_linear(ts_corr(cs_rank(low), cs_rank({adv30}), 7), 6), 6))",
    "alpha093": "ts_rank(ts_decay_linear(ts_corr(group_demean(vwap, industry), {adv81}, 17), 19), 7)"
    " / cs_rank(ts_decay_linear(ts_delta(close * 0.524434 + vwap * (1 - 0.524434), 2), 16))",
    "alpha094": "-(cs_rank(vwap - ts_min(vwap, 11))"
    " ** ts_rank(ts_corr(ts_rank(vwap, 19), ts_rank({adv60}, 4), 18), 2))",
    "alpha095": "cs_rank(open - ts_min(open, 12))"
    " < ts_rank(cs_rank(ts_corr(ts_sum((high + low) / 2, 19), ts_sum({adv40}, 19), 12)) ** 5, 11)",
    "alpha096": "-max(ts_rank(ts_decay_linear(ts_corr(cs_rank(vwap), cs_rank(volume), 3), 4), 8), ts_rank("
    "ts_decay_linear(ts_argmax(ts_corr(ts_rank(close, 7), ts_rank({adv60}, 4), 3), 12, origin='start') + 1, 14), 13))",
    "alpha097": "-(cs_rank(ts_decay_linear(ts_delta("
    "group_demean(low * 0.721001 + vwap * (1 - 0.721001), industry), 3), 20))"
    " - ts_rank(ts_decay_linear(ts_rank(ts_corr(ts_rank(low, 7), ts_rank({adv60}, 17), 4), 18), 15), 6))",
    "alpha098": "cs_rank(ts_decay_linear(ts_corr(vwap, ts_sum({adv5}, 26), 4), 7)) - cs_rank(ts_decay_linear("
    "ts_rank(ts_argmin(ts_corr(cs_rank(open), cs_rank({adv15}), 20), 8, origin='start') + 1, 6), 8))",
    "alpha099": "-(cs_rank(ts_corr(ts_sum((high + low) / 2, 19), ts_sum({adv60}, 19), 8))"
    " < cs_rank(ts_corr(low, volume, 6)))",
    "alpha100": "-((1.5 * cs_scale(group_demean(group_demean(cs_rank({location} * volume), subindustry), subindustry))"
    " - cs_scale(group_demean(ts_corr(close, cs_rank({adv20}), 5)"
    " - cs_rank(ts_argmin(close, 30, origin='start') + 1), subindustry))) * (volume / {adv20}))",
    "alpha101": "(close - open) / (high - low + 0.001)",
}

ONCE = "as printed, though both weights are on one price and leave it unchanged, up to rounding"
ONE_BAR = "the printed change over {} days is taken over 1 bar"
UNITS = "the volume in shares is hardly ever above the average in dollars; `adv='shares'` compares like with like"
SELDOM = "rarely has a value: it needs 37 correlations over {} bars in a row, and one with a constant input is missing"
MEAN = "the sum is divided by its window once; much public code divides a mean by it again"
NOTES = {
    "alpha001": "with the printed constant, which much public code leaves out; a square instead of signedpower",
    "alpha007": UNITS,
    "alpha010": "with the printed outer rank, which much public code leaves out",
    "alpha019": "as printed, though the change is added to itself and only its sign matters",
    "alpha021": UNITS,
    "alpha029": "min(x, 5) is ts_min; the sum and the product of one bar are left out",
    "alpha030": "the three signs are summed as one window",
    "alpha031": "as printed, though a scaled value keeps its sign and a rank of a rank is the rank",
    "alpha032": MEAN,
    "alpha036": MEAN,
    "alpha038": "the close is ranked along time; much public code ranks the open",
    "alpha045": "a correlation over 2 bars is 1 or -1",
    "alpha047": MEAN,
    "alpha059": ONCE,
    "alpha066": ONCE,
    "alpha068": ONE_BAR.format(1.06157),
    "alpha070": ONE_BAR.format(1.29456),
    "alpha076": ONE_BAR.format(1.24383),
    "alpha077": "as printed, though the high cancels",
    "alpha079": ONE_BAR.format(1.23438),
    "alpha082": f"{ONE_BAR.format(1.46063)}; {ONCE}",
    "alpha084": "the exponent is in units of price; missing where a large fall makes the power overflow Float64",
    "alpha086": "as printed, though the open cancels",
    "alpha087": ONE_BAR.format(1.91233),
    "alpha089": ONCE,
    "alpha096": SELDOM.format(3),
    "alpha097": SELDOM.format(4),
    "alpha100": "as printed, though neutralising twice is the same as once",
}


def alpha101(*, adv: Literal["dollar", "shares"] = "dollar", rank: Literal["percent", "unit"] = "percent") -> Library:
    """Kakushadze's 101 formulaic alphas, `alpha001` to `alpha101`.

    Reads `open high low close volume vwap`, `cap` (the market value) for 056, and the categories `sector`, `industry`
    and `subindustry` for the 18 formulas that neutralise. The longest lookback is 251 bars.

    Parameters
    ----------
    adv
        The unit of average daily volumes: `"dollar"`, as in the paper, is `vwap * volume`; `"shares"`, as in most
        public code, is `volume`.
    rank
        `"percent"` is the percent rank, in (0, 1]; `"unit"` scales the ranks of a date from 0 for the smallest to 1 for
        the largest, as WorldQuant's platform does. The logarithm of the lowest rank is then missing (029, 081), as is a
        division by it (042, 057, 072, 093), and the rank of a symbol that is alone on its date.

    Returns
    -------
    Library
        Named factors in the order of the paper, with a note on every choice.

    Raises
    ------
    ParameterError
        Where `adv` or `rank` has another value.

    Examples
    --------
    >>> import factorloom as fl
    >>> alphas = fl.library.alpha101()
    >>> print(alphas["alpha101"])
    (close - open) / (high - low + 0.001)
    >>> print(alphas["alpha061"])
    cs_rank(vwap - ts_min(vwap, 16)) < cs_rank(ts_corr(vwap, ts_mean(vwap * volume, 180), 17))
    >>> print(fl.library.alpha101(rank="unit")["alpha033"])
    (cs_rank(-(1 - open / close), method='ordinal') - 1) / (cs_count(-(1 - open / close)) - 1)
    """
    if adv not in TURNOVER:
        raise ParameterError(f"adv must be 'dollar' or 'shares', got {adv!r}")
    if rank not in ("percent", "unit"):
        raise ParameterError(f"rank must be 'percent' or 'unit', got {rank!r}")
    parts = {name: f"({text})" for name, text in PARTS.items()}
    parts |= {f"adv{days}": f"ts_mean({TURNOVER[adv]}, {days})" for days in AVERAGED}
    entries = read_formulas({name: text.format_map(parts) for name, text in FORMULAS.items()}, NOTES)
    if rank == "unit":
        entries = {name: replace(entry, factor=entry.factor.rebuild(_from_0_to_1)) for name, entry in entries.items()}
    return Library("alpha101", "WorldQuant 101", SOURCE, entries, about=__doc__ or "")


def _from_0_to_1(node: Factor) -> Factor | None:
    """A rank scaled to [0, 1] among the ranks of its date."""
    if node.operator is not cs_rank:
        return None
    (x,) = node.inputs
    return (cs_rank(x, method="ordinal") - 1) / (cs_count(x) - 1)
