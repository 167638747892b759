"""The formulas of the Guotai Junan factors.

A name in braces stands for one of `PARTS`.
"""

from __future__ import annotations

__all__ = ["FORMULAS", "PARTS"]

PARTS = {
    "last": "ts_delay(close, 1)",
    "typical": "(high + low + close) / 3",
    "location": "(close - low - (high - close)) / (high - low)",
    "true_low": "min(low, {last})",
    "true_high": "max(high, {last})",
    "thrust": "where(close == {last}, 0, close - where(close > {last}, {true_low}, {true_high}))",
    "true_range": "max(max(high - low, abs({last} - high)), abs({last} - low))",
    "signed_volume": "where(close > {last}, volume, where(close < {last}, -volume, 0))",
    "gain": "max(close - {last}, 0)",
    "loss": "where(close - {last} < 0, abs(close - {last}), 0)",
    "change": "abs(close - {last})",
    "rsi12": "ts_ema({gain}, 23, min_samples=12) / ts_ema({change}, 23, min_samples=12) * 100",
    "stochastic": "(close - ts_min(low, 9)) / (ts_max(high, 9) - ts_min(low, 9)) * 100",
    "williams": "(ts_max(high, 6) - close) / (ts_max(high, 6) - ts_min(low, 6)) * 100",
    "reach": "max(abs(high - ts_delay(high, 1)), abs(low - ts_delay(low, 1)))",
    "before": "ts_delay(high, 1) + ts_delay(low, 1)",
    "rise": "ts_sum(where(high + low <= {before}, 0, {reach}), 12)",
    "fall": "ts_sum(where(high + low >= {before}, 0, {reach}), 12)",
    "pressure": "((high + low) / 2 - ({before}) / 2) * (high - low) / volume",
    "dtm": "where(open <= ts_delay(open, 1), 0, max(high - open, open - ts_delay(open, 1)))",
    "dbm": "where(open >= ts_delay(open, 1), 0, max(open - low, open - ts_delay(open, 1)))",
    "hd": "high - ts_delay(high, 1)",
    "ld": "ts_delay(low, 1) - low",
    "plus": "ts_sum(where(({hd} > 0) & ({hd} > {ld}), {hd}, 0), 14) * 100 / ts_sum({true_range}, 14)",
    "minus": "ts_sum(where(({ld} > 0) & ({ld} > {hd}), {ld}, 0), 14) * 100 / ts_sum({true_range}, 14)",
    "adx": "ts_mean(abs({minus} - {plus}) / ({minus} + {plus}) * 100, 6)",
    "to_high": "abs(high - {last})",
    "to_low": "abs(low - {last})",
    "spread": "abs(high - ts_delay(low, 1))",
    "body": "abs({last} - ts_delay(open, 1))",
    "swing_range": (
        "where(({to_high} > {to_low}) & ({to_high} > {spread}), {to_high} + {to_low} / 2 + {body} / 4, "
        "where(({to_low} > {spread}) & ({to_low} > {to_high}), {to_low} + {to_high} / 2 + {body} / 4, "
        "{spread} + {body} / 4))"
    ),
    "swing": (
        "16 * (close - {last} + (close - open) / 2 + {last} - ts_delay(open, 1)) / {swing_range} "
        "* max({to_high}, {to_low})"
    ),
    "macd": "ts_ema(close, 12, min_samples=13) - ts_ema(close, 26, min_samples=27)",
    "volume_macd": "ts_ema(volume, 12, min_samples=13) - ts_ema(volume, 26, min_samples=27)",
    "triple_log": ("ts_ema(ts_ema(ts_ema(log(close), 12, min_samples=13), 12, min_samples=13), 12, min_samples=13)"),
    "smooth": "ts_ema(returns, 60, min_samples=61)",
    "smooth_growth": "ts_ema(ts_delay(close / ts_delay(close, 9), 1), 17, min_samples=9)",
    "smooth_change": "ts_ema(close - {last}, 17, min_samples=9)",
    "upturn": "where(close > {last}, 1 / (close - {last}), 1)",
    "bench_fell": "benchmark_close < ts_delay(benchmark_close, 1)",
    "bench_returns": "benchmark_close / ts_delay(benchmark_close, 1) - 1",
    "bench_gap": "benchmark_close - ts_mean(benchmark_close, 20)",
    "growth": "(close / ts_delay(close, 19)) ** (1 / 20) - 1",
    "squared_deviation": "(returns - {growth}) ** 2",
    "bend": "(ts_delay(close, 20) - ts_delay(close, 10)) / 10 - (ts_delay(close, 10) - close) / 10",
}

FORMULAS = {
    "gtja001": "-1 * ts_corr(cs_rank(ts_delta(log(volume), 1)), cs_rank((close - open) / open), 6)",
    "gtja002": "-1 * ts_delta({location}, 1)",
    "gtja003": "ts_sum({thrust}, 6)",
    "gtja004": (
        "where(ts_sum(close, 8) / 8 + ts_std(close, 8) < ts_sum(close, 2) / 2, -1, "
        "where(ts_sum(close, 2) / 2 < ts_sum(close, 8) / 8 - ts_std(close, 8), 1, "
        "where(volume / ts_mean(volume, 20) >= 1, 1, -1)))"
    ),
    "gtja005": "-1 * ts_max(ts_corr(ts_rank(volume, 5), ts_rank(high, 5), 5), 3)",
    "gtja006": "cs_rank(sign(ts_delta(open * 0.85 + high * 0.15, 4))) * -1",
    "gtja007": ("(cs_rank(ts_max(vwap - close, 3)) + cs_rank(ts_min(vwap - close, 3))) * cs_rank(ts_delta(volume, 3))"),
    "gtja008": "cs_rank(ts_delta((high + low) / 2 * 0.2 + vwap * 0.8, 4) * -1)",
    "gtja009": "ts_ema({pressure}, 6, min_samples=7)",
    "gtja010": "cs_rank(ts_max(where(returns < 0, ts_std(returns, 20), close) ** 2, 5))",
    "gtja011": "ts_sum({location} * volume, 6)",
    "gtja012": "cs_rank(open - ts_sum(vwap, 10) / 10) * (-1 * cs_rank(abs(close - vwap)))",
    "gtja013": "(high * low) ** 0.5 - vwap",
    "gtja014": "close - ts_delay(close, 5)",
    "gtja015": "open / {last} - 1",
    "gtja016": "-1 * ts_max(cs_rank(ts_corr(cs_rank(volume), cs_rank(vwap), 5)), 5)",
    "gtja017": "cs_rank(vwap - ts_max(vwap, 15)) ** ts_delta(close, 5)",
    "gtja018": "close / ts_delay(close, 5)",
    "gtja019": (
        "where(close < ts_delay(close, 5), (close - ts_delay(close, 5)) / ts_delay(close, 5), "
        "where(close == ts_delay(close, 5), 0, (close - ts_delay(close, 5)) / close))"
    ),
    "gtja020": "(close - ts_delay(close, 6)) / ts_delay(close, 6) * 100",
    "gtja021": "ts_trend(ts_mean(close, 6), 6)",
    "gtja022": ("ts_ema(ts_delta((close - ts_mean(close, 6)) / ts_mean(close, 6), 3), 23, min_samples=12)"),
    "gtja023": (
        "ts_ema(where(close > {last}, ts_std(close, 20), 0), 39, min_samples=20) "
        "/ (ts_ema(where(close > {last}, ts_std(close, 20), 0), 39, min_samples=20) "
        "+ ts_ema(where(close <= {last}, ts_std(close, 20), 0), 39, min_samples=20)) * 100"
    ),
    "gtja024": "ts_ema(close - ts_delay(close, 5), 9, min_samples=5)",
    "gtja025": (
        "-1 * cs_rank(ts_delta(close, 7) * (1 - cs_rank(ts_decay_linear(volume / ts_mean(volume, 20), 9)))) "
        "* (1 + cs_rank(ts_sum(returns, 250)))"
    ),
    "gtja026": "ts_sum(close, 7) / 7 - close + ts_corr(vwap, ts_delay(close, 5), 230)",
    "gtja027": (
        "ts_decay_exp((close - ts_delay(close, 3)) / ts_delay(close, 3) * 100 "
        "+ (close - ts_delay(close, 6)) / ts_delay(close, 6) * 100, 12, decay=0.9)"
    ),
    "gtja028": (
        "3 * ts_ema({stochastic}, 5, min_samples=3) "
        "- 2 * ts_ema(ts_ema({stochastic}, 5, min_samples=3), 5, min_samples=3)"
    ),
    "gtja029": "(close - ts_delay(close, 6)) / ts_delay(close, 6) * volume",
    "gtja030": "ts_decay_exp(ts_residual(returns, mkt, smb, hml, window=60) ** 2, 20, decay=0.9)",
    "gtja031": "(close - ts_mean(close, 12)) / ts_mean(close, 12) * 100",
    "gtja032": "-1 * ts_sum(cs_rank(ts_corr(cs_rank(high), cs_rank(volume), 3)), 3)",
    "gtja033": (
        "(-1 * ts_min(low, 5) + ts_delay(ts_min(low, 5), 5)) "
        "* cs_rank((ts_sum(returns, 240) - ts_sum(returns, 20)) / 220) * ts_rank(volume, 5)"
    ),
    "gtja034": "ts_mean(close, 12) / close",
    "gtja035": (
        "min(cs_rank(ts_decay_linear(ts_delta(open, 1), 15)), "
        "cs_rank(ts_decay_linear(ts_corr(volume, open * 0.65 + open * 0.35, 17), 7))) * -1"
    ),
    "gtja036": "cs_rank(ts_sum(ts_corr(cs_rank(volume), cs_rank(vwap), 6), 2))",
    "gtja037": "-1 * cs_rank(ts_delta(ts_sum(open, 5) * ts_sum(returns, 5), 10))",
    "gtja038": "where(ts_sum(high, 20) / 20 < high, -1 * ts_delta(high, 2), 0)",
    "gtja039": (
        "(cs_rank(ts_decay_linear(ts_delta(close, 2), 8)) "
        "- cs_rank(ts_decay_linear(ts_corr(vwap * 0.3 + open * 0.7, ts_sum(ts_mean(volume, 180), 37), 14), 12))) * -1"
    ),
    "gtja040": ("ts_sum(where(close > {last}, volume, 0), 26) / ts_sum(where(close <= {last}, volume, 0), 26) * 100"),
    "gtja041": "cs_rank(ts_max(ts_delta(vwap, 3), 5)) * -1",
    "gtja042": "-1 * cs_rank(ts_std(high, 10)) * ts_corr(high, volume, 10)",
    "gtja043": "ts_sum({signed_volume}, 6)",
    "gtja044": (
        "ts_rank(ts_decay_linear(ts_corr(low, ts_mean(volume, 10), 7), 6), 4) "
        "+ ts_rank(ts_decay_linear(ts_delta(vwap, 3), 10), 15)"
    ),
    "gtja045": "cs_rank(ts_delta(close * 0.6 + open * 0.4, 1)) * cs_rank(ts_corr(vwap, ts_mean(volume, 150), 15))",
    "gtja046": "(ts_mean(close, 3) + ts_mean(close, 6) + ts_mean(close, 12) + ts_mean(close, 24)) / (4 * close)",
    "gtja047": "ts_ema({williams}, 17, min_samples=9)",
    "gtja048": (
        "-1 * (cs_rank(sign(close - {last}) + sign({last} - ts_delay(close, 2)) "
        "+ sign(ts_delay(close, 2) - ts_delay(close, 3))) * ts_sum(volume, 5)) / ts_sum(volume, 20)"
    ),
    "gtja049": "{fall} / ({fall} + {rise})",
    "gtja050": "{rise} / ({rise} + {fall}) - {fall} / ({fall} + {rise})",
    "gtja051": "{rise} / ({rise} + {fall})",
    "gtja052": (
        "ts_sum(max(0, high - ts_delay({typical}, 1)), 26) / ts_sum(max(0, ts_delay({typical}, 1) - low), 26) * 100"
    ),
    "gtja053": "ts_sum(close > {last}, 12) / 12 * 100",
    "gtja054": "-1 * cs_rank(ts_std(abs(close - open), 10) + (close - open) + ts_corr(close, open, 10))",
    "gtja055": "ts_sum({swing}, 20)",
    "gtja056": (
        "cs_rank(open - ts_min(open, 12)) "
        "< cs_rank(cs_rank(ts_corr(ts_sum((high + low) / 2, 19), ts_sum(ts_mean(volume, 40), 19), 13)) ** 5)"
    ),
    "gtja057": "ts_ema({stochastic}, 5, min_samples=3)",
    "gtja058": "ts_sum(close > {last}, 20) / 20 * 100",
    "gtja059": "ts_sum({thrust}, 20)",
    "gtja060": "ts_sum({location} * volume, 20)",
    "gtja061": (
        "max(cs_rank(ts_decay_linear(ts_delta(vwap, 1), 12)), "
        "cs_rank(ts_decay_linear(cs_rank(ts_corr(low, ts_mean(volume, 80), 8)), 17))) * -1"
    ),
    "gtja062": "-1 * ts_corr(high, cs_rank(volume), 5)",
    "gtja063": "ts_ema({gain}, 11, min_samples=6) / ts_ema({change}, 11, min_samples=6) * 100",
    "gtja064": (
        "max(cs_rank(ts_decay_linear(ts_corr(cs_rank(vwap), cs_rank(volume), 4), 4)), "
        "cs_rank(ts_decay_linear(ts_max(ts_corr(cs_rank(close), cs_rank(ts_mean(volume, 60)), 4), 13), 14))) * -1"
    ),
    "gtja065": "ts_mean(close, 6) / close",
    "gtja066": "(close - ts_mean(close, 6)) / ts_mean(close, 6) * 100",
    "gtja067": "ts_ema({gain}, 47, min_samples=24) / ts_ema({change}, 47, min_samples=24) * 100",
    "gtja068": "ts_ema({pressure}, 14, min_samples=15)",
    "gtja069": (
        "where(ts_sum({dtm}, 20) > ts_sum({dbm}, 20), "
        "(ts_sum({dtm}, 20) - ts_sum({dbm}, 20)) / ts_sum({dtm}, 20), "
        "where(ts_sum({dtm}, 20) == ts_sum({dbm}, 20), 0, "
        "(ts_sum({dtm}, 20) - ts_sum({dbm}, 20)) / ts_sum({dbm}, 20)))"
    ),
    "gtja070": "ts_std(amount, 6)",
    "gtja071": "(close - ts_mean(close, 24)) / ts_mean(close, 24) * 100",
    "gtja072": "ts_ema({williams}, 29, min_samples=15)",
    "gtja073": (
        "(ts_rank(ts_decay_linear(ts_decay_linear(ts_corr(close, volume, 10), 16), 4), 5) "
        "- cs_rank(ts_decay_linear(ts_corr(vwap, ts_mean(volume, 30), 4), 3))) * -1"
    ),
    "gtja074": (
        "cs_rank(ts_corr(ts_sum(low * 0.35 + vwap * 0.65, 20), ts_sum(ts_mean(volume, 40), 20), 7)) "
        "+ cs_rank(ts_corr(cs_rank(vwap), cs_rank(volume), 6))"
    ),
    "gtja075": (
        "ts_sum((close > open) & (benchmark_close < benchmark_open), 50) / ts_sum(benchmark_close < benchmark_open, 50)"
    ),
    "gtja076": "ts_std(abs(returns) / volume, 20) / ts_mean(abs(returns) / volume, 20)",
    "gtja077": (
        "min(cs_rank(ts_decay_linear((high + low) / 2 + high - (vwap + high), 20)), "
        "cs_rank(ts_decay_linear(ts_corr((high + low) / 2, ts_mean(volume, 40), 3), 6)))"
    ),
    "gtja078": ("({typical} - ts_mean({typical}, 12)) / (0.015 * ts_mean(abs(close - ts_mean({typical}, 12)), 12))"),
    "gtja079": "{rsi12}",
    "gtja080": "(volume - ts_delay(volume, 5)) / ts_delay(volume, 5) * 100",
    "gtja081": "ts_ema(volume, 20, min_samples=21)",
    "gtja082": "ts_ema({williams}, 39, min_samples=20)",
    "gtja083": "-1 * cs_rank(ts_cov(cs_rank(high), cs_rank(volume), 5))",
    "gtja084": "ts_sum({signed_volume}, 20)",
    "gtja085": "ts_rank(volume / ts_mean(volume, 20), 20) * ts_rank(-1 * ts_delta(close, 7), 8)",
    "gtja086": "where(0.25 < {bend}, -1, where({bend} < 0, 1, -1 * (close - {last})))",
    "gtja087": (
        "(cs_rank(ts_decay_linear(ts_delta(vwap, 4), 7)) "
        "+ ts_rank(ts_decay_linear((low * 0.9 + low * 0.1 - vwap) / (open - (high + low) / 2), 11), 7)) * -1"
    ),
    "gtja088": "(close - ts_delay(close, 20)) / ts_delay(close, 20) * 100",
    "gtja089": "2 * ({macd} - ts_ema({macd}, 9, min_samples=10))",
    "gtja090": "cs_rank(ts_corr(cs_rank(vwap), cs_rank(volume), 5)) * -1",
    "gtja091": "cs_rank(close - ts_max(close, 5)) * cs_rank(ts_corr(ts_mean(volume, 40), low, 5)) * -1",
    "gtja092": (
        "max(cs_rank(ts_decay_linear(ts_delta(close * 0.35 + vwap * 0.65, 2), 3)), "
        "ts_rank(ts_decay_linear(abs(ts_corr(ts_mean(volume, 180), close, 13)), 5), 15)) * -1"
    ),
    "gtja093": "ts_sum({dbm}, 20)",
    "gtja094": "ts_sum({signed_volume}, 30)",
    "gtja095": "ts_std(amount, 20)",
    "gtja096": "ts_ema(ts_ema({stochastic}, 5, min_samples=3), 5, min_samples=3)",
    "gtja097": "ts_std(volume, 10)",
    "gtja098": (
        "where(ts_delta(ts_sum(close, 100) / 100, 100) / ts_delay(close, 100) <= 0.05, "
        "-1 * (close - ts_min(close, 100)), -1 * ts_delta(close, 3))"
    ),
    "gtja099": "-1 * cs_rank(ts_cov(cs_rank(close), cs_rank(volume), 5))",
    "gtja100": "ts_std(volume, 20)",
    "gtja101": (
        "(cs_rank(ts_corr(close, ts_sum(ts_mean(volume, 30), 37), 15)) "
        "< cs_rank(ts_corr(cs_rank(high * 0.1 + vwap * 0.9), cs_rank(volume), 11))) * -1"
    ),
    "gtja102": (
        "ts_ema(max(ts_delta(volume, 1), 0), 11, min_samples=6) "
        "/ ts_ema(abs(ts_delta(volume, 1)), 11, min_samples=6) * 100"
    ),
    "gtja103": "(20 - ts_argmin(low, 20)) / 20 * 100",
    "gtja104": "-1 * (ts_delta(ts_corr(high, volume, 5), 5) * cs_rank(ts_std(close, 20)))",
    "gtja105": "-1 * ts_corr(cs_rank(open), cs_rank(volume), 10)",
    "gtja106": "close - ts_delay(close, 20)",
    "gtja107": ("-1 * cs_rank(open - ts_delay(high, 1)) * cs_rank(open - {last}) * cs_rank(open - ts_delay(low, 1))"),
    "gtja108": "cs_rank(high - ts_min(high, 2)) ** cs_rank(ts_corr(vwap, ts_mean(volume, 120), 6)) * -1",
    "gtja109": (
        "ts_ema(high - low, 9, min_samples=10) / ts_ema(ts_ema(high - low, 9, min_samples=10), 9, min_samples=10)"
    ),
    "gtja110": "ts_sum(max(0, high - {last}), 20) / ts_sum(max(0, {last} - low), 20) * 100",
    "gtja111": ("ts_ema(volume * {location}, 10, min_samples=11) - ts_ema(volume * {location}, 3, min_samples=4)"),
    "gtja112": "(ts_sum({gain}, 12) - ts_sum({loss}, 12)) / (ts_sum({gain}, 12) + ts_sum({loss}, 12)) * 100",
    "gtja113": (
        "-1 * (cs_rank(ts_sum(ts_delay(close, 5), 20) / 20) * ts_corr(close, volume, 2) "
        "* cs_rank(ts_corr(ts_sum(close, 5), ts_sum(close, 20), 2)))"
    ),
    "gtja114": (
        "cs_rank(ts_delay((high - low) / (ts_sum(close, 5) / 5), 2)) * cs_rank(cs_rank(volume)) "
        "/ ((high - low) / (ts_sum(close, 5) / 5) / (vwap - close))"
    ),
    "gtja115": (
        "cs_rank(ts_corr(high * 0.9 + close * 0.1, ts_mean(volume, 30), 10)) "
        "** cs_rank(ts_corr(ts_rank((high + low) / 2, 4), ts_rank(volume, 10), 7))"
    ),
    "gtja116": "ts_trend(close, 20)",
    "gtja117": "ts_rank(volume, 32) * (1 - ts_rank(close + high - low, 16)) * (1 - ts_rank(returns, 32))",
    "gtja118": "ts_sum(high - open, 20) / ts_sum(open - low, 20) * 100",
    "gtja119": (
        "cs_rank(ts_decay_linear(ts_corr(vwap, ts_sum(ts_mean(volume, 5), 26), 5), 7)) "
        "- cs_rank(ts_decay_linear(ts_rank(ts_min(ts_corr(cs_rank(open), cs_rank(ts_mean(volume, 15)), 21), 9), 7), 8))"
    ),
    "gtja120": "cs_rank(vwap - close) / cs_rank(vwap + close)",
    "gtja121": (
        "cs_rank(vwap - ts_min(vwap, 12)) "
        "** ts_rank(ts_corr(ts_rank(vwap, 20), ts_rank(ts_mean(volume, 60), 2), 18), 3) * -1"
    ),
    "gtja122": "({triple_log} - ts_delay({triple_log}, 1)) / ts_delay({triple_log}, 1)",
    "gtja123": (
        "(cs_rank(ts_corr(ts_sum((high + low) / 2, 20), ts_sum(ts_mean(volume, 60), 20), 9)) "
        "< cs_rank(ts_corr(low, volume, 6))) * -1"
    ),
    "gtja124": "(close - vwap) / ts_decay_linear(cs_rank(ts_max(close, 30)), 2)",
    "gtja125": (
        "cs_rank(ts_decay_linear(ts_corr(vwap, ts_mean(volume, 80), 17), 20)) "
        "/ cs_rank(ts_decay_linear(ts_delta(close * 0.5 + vwap * 0.5, 3), 16))"
    ),
    "gtja126": "(close + high + low) / 3",
    "gtja127": "ts_mean((100 * (close - ts_max(close, 12)) / ts_max(close, 12)) ** 2, 12) ** (1 / 2)",
    "gtja128": (
        "100 - 100 / (1 + ts_sum(where({typical} > ts_delay({typical}, 1), {typical} * volume, 0), 14) "
        "/ ts_sum(where({typical} < ts_delay({typical}, 1), {typical} * volume, 0), 14))"
    ),
    "gtja129": "ts_sum({loss}, 12)",
    "gtja130": (
        "cs_rank(ts_decay_linear(ts_corr((high + low) / 2, ts_mean(volume, 40), 9), 10)) "
        "/ cs_rank(ts_decay_linear(ts_corr(cs_rank(vwap), cs_rank(volume), 7), 3))"
    ),
    "gtja131": "cs_rank(ts_delta(vwap, 1)) ** ts_rank(ts_corr(close, ts_mean(volume, 50), 18), 18)",
    "gtja132": "ts_mean(amount, 20)",
    "gtja133": "(20 - ts_argmax(high, 20)) / 20 * 100 - (20 - ts_argmin(low, 20)) / 20 * 100",
    "gtja134": "(close - ts_delay(close, 12)) / ts_delay(close, 12) * volume",
    "gtja135": "ts_ema(ts_delay(close / ts_delay(close, 20), 1), 39, min_samples=20)",
    "gtja136": "-1 * cs_rank(ts_delta(returns, 3)) * ts_corr(open, volume, 10)",
    "gtja137": "{swing}",
    "gtja138": (
        "(cs_rank(ts_decay_linear(ts_delta(low * 0.7 + vwap * 0.3, 3), 20)) - ts_rank(ts_decay_linear(ts_rank("
        "ts_corr(ts_rank(low, 8), ts_rank(ts_mean(volume, 60), 17), 5), 19), 16), 7)) * -1"
    ),
    "gtja139": "-1 * ts_corr(open, volume, 10)",
    "gtja140": (
        "min(cs_rank(ts_decay_linear(cs_rank(open) + cs_rank(low) - (cs_rank(high) + cs_rank(close)), 8)), "
        "ts_rank(ts_decay_linear(ts_corr(ts_rank(close, 8), ts_rank(ts_mean(volume, 60), 20), 8), 7), 3))"
    ),
    "gtja141": "cs_rank(ts_corr(cs_rank(high), cs_rank(ts_mean(volume, 15)), 9)) * -1",
    "gtja142": (
        "-1 * cs_rank(ts_rank(close, 10)) * cs_rank(ts_delta(ts_delta(close, 1), 1)) "
        "* cs_rank(ts_rank(volume / ts_mean(volume, 20), 5))"
    ),
    "gtja143": "ts_cumprod(where(close > {last}, (close - {last}) / {last}, 1))",
    "gtja144": "ts_sum(where(close < {last}, abs(returns) / amount, 0), 20) / ts_sum(close < {last}, 20)",
    "gtja145": "(ts_mean(volume, 9) - ts_mean(volume, 26)) / ts_mean(volume, 12) * 100",
    "gtja146": (
        "ts_mean(returns - {smooth}, 20) * (returns - {smooth}) "
        "/ ts_ema((returns - (returns - {smooth})) ** 2, 119, min_samples=60)"
    ),
    "gtja147": "ts_trend(ts_mean(close, 12), 12)",
    "gtja148": ("(cs_rank(ts_corr(open, ts_sum(ts_mean(volume, 60), 9), 6)) < cs_rank(open - ts_min(open, 14))) * -1"),
    "gtja149": "ts_beta(where({bench_fell}, returns), where({bench_fell}, {bench_returns}), 252, min_samples=2)",
    "gtja150": "(close + high + low) / 3 * volume",
    "gtja151": "ts_ema(close - ts_delay(close, 20), 39, min_samples=20)",
    "gtja152": (
        "ts_ema(ts_mean(ts_delay({smooth_growth}, 1), 12) - ts_mean(ts_delay({smooth_growth}, 1), 26), "
        "17, min_samples=9)"
    ),
    "gtja153": "(ts_mean(close, 3) + ts_mean(close, 6) + ts_mean(close, 12) + ts_mean(close, 24)) / 4",
    "gtja154": "vwap - ts_min(vwap, 16) < ts_corr(vwap, ts_mean(volume, 180), 18)",
    "gtja155": "{volume_macd} - ts_ema({volume_macd}, 9, min_samples=10)",
    "gtja156": (
        "max(cs_rank(ts_decay_linear(ts_delta(vwap, 5), 3)), cs_rank(ts_decay_linear("
        "ts_delta(open * 0.15 + low * 0.85, 2) / (open * 0.15 + low * 0.85) * -1, 3))) * -1"
    ),
    "gtja157": (
        "ts_min(ts_product(cs_rank(cs_rank(log(ts_sum(ts_min(cs_rank(cs_rank("
        "-1 * cs_rank(ts_delta(close - 1, 5)))), 2), 1)))), 1), 5) + ts_rank(ts_delay(-1 * returns, 6), 5)"
    ),
    "gtja158": "(high - ts_ema(close, 14, min_samples=15) - (low - ts_ema(close, 14, min_samples=15))) / close",
    "gtja159": (
        "((close - ts_sum({true_low}, 6)) / ts_sum({true_high} - {true_low}, 6) * 12 * 24 "
        "+ (close - ts_sum({true_low}, 12)) / ts_sum({true_high} - {true_low}, 12) * 6 * 24 "
        "+ (close - ts_sum({true_low}, 24)) / ts_sum({true_high} - {true_low}, 24) * 6 * 24) "
        "* 100 / (6 * 12 + 6 * 24 + 12 * 24)"
    ),
    "gtja160": "ts_ema(where(close <= {last}, ts_std(close, 20), 0), 39, min_samples=20)",
    "gtja161": "ts_mean({true_range}, 12)",
    "gtja162": "({rsi12} - ts_min({rsi12}, 12)) / (ts_max({rsi12}, 12) - ts_min({rsi12}, 12))",
    "gtja163": "cs_rank(-1 * returns * ts_mean(volume, 20) * vwap * (high - close))",
    "gtja164": "ts_ema(({upturn} - ts_min({upturn}, 12)) / (high - low) * 100, 12, min_samples=13)",
    "gtja165": "ts_range_of_sums(close, 48) / ts_std(close, 48)",
    "gtja166": "-1 * ts_skew(returns, 20)",
    "gtja167": "ts_sum({gain}, 12)",
    "gtja168": "-1 * volume / ts_mean(volume, 20)",
    "gtja169": (
        "ts_ema(ts_mean(ts_delay({smooth_change}, 1), 12) - ts_mean(ts_delay({smooth_change}, 1), 26), "
        "19, min_samples=10)"
    ),
    "gtja170": (
        "cs_rank(1 / close) * volume / ts_mean(volume, 20) * (high * cs_rank(high - close) / (ts_sum(high, 5) / 5)) "
        "- cs_rank(vwap - ts_delay(vwap, 5))"
    ),
    "gtja171": "-1 * ((low - close) * open ** 5) / ((close - high) * close ** 5)",
    "gtja172": "{adx}",
    "gtja173": (
        "3 * ts_ema(close, 12, min_samples=13) - 2 * ts_ema(ts_ema(close, 12, min_samples=13), 12, min_samples=13) "
        "+ {triple_log}"
    ),
    "gtja174": "ts_ema(where(close > {last}, ts_std(close, 20), 0), 39, min_samples=20)",
    "gtja175": "ts_mean({true_range}, 6)",
    "gtja176": (
        "ts_corr(cs_rank((close - ts_min(low, 12)) / (ts_max(high, 12) - ts_min(low, 12))), cs_rank(volume), 6)"
    ),
    "gtja177": "(20 - ts_argmax(high, 20)) / 20 * 100",
    "gtja178": "(close - {last}) / {last} * volume",
    "gtja179": "cs_rank(ts_corr(vwap, volume, 4)) * cs_rank(ts_corr(cs_rank(low), cs_rank(ts_mean(volume, 50)), 12))",
    "gtja180": (
        "where(ts_mean(volume, 20) < volume, "
        "-1 * ts_rank(abs(ts_delta(close, 7)), 60) * sign(ts_delta(close, 7)), -1 * volume)"
    ),
    "gtja181": "ts_sum(returns - ts_mean(returns, 20) - {bench_gap} ** 2, 20) / ts_sum({bench_gap} ** 3, 20)",
    "gtja182": (
        "ts_sum((close > open) & (benchmark_close > benchmark_open) "
        "| (close < open) & (benchmark_close < benchmark_open), 20) / 20"
    ),
    "gtja183": "ts_range_of_sums(close, 24) / ts_std(close, 24)",
    "gtja184": "cs_rank(ts_corr(ts_delay(open - close, 1), close, 200)) + cs_rank(open - close)",
    "gtja185": "cs_rank(-1 * (1 - open / close) ** 2)",
    "gtja186": "({adx} + ts_delay({adx}, 6)) / 2",
    "gtja187": "ts_sum({dtm}, 20)",
    "gtja188": "(high - low - ts_ema(high - low, 10, min_samples=11)) / ts_ema(high - low, 10, min_samples=11) * 100",
    "gtja189": "ts_mean(abs(close - ts_mean(close, 6)), 6)",
    "gtja190": (
        "log((ts_sum(returns > {growth}, 20) - 1) * ts_sum(where(returns < {growth}, {squared_deviation}, 0), 20) "
        "/ (ts_sum(returns < {growth}, 20) * ts_sum(where(returns > {growth}, {squared_deviation}, 0), 20)))"
    ),
    "gtja191": "ts_corr(ts_mean(volume, 20), low, 5) + (high + low) / 2 - close",
}
