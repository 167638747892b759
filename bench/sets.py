"""The factor sets that are timed, as text: read when asked for.

`alpha158` is Qlib's set of that name. `alpha101` are 20 of Kakushadze's "101 Formulaic Alphas" (2015, arXiv
1601.00991) which every peer has, chosen for ranks, correlations of ranks and decays. Names are those of the sources.

Qlib lets a window be as short as the history is, which is `min_samples=1` here; a deviation, a line or a correlation
needs 2 values. Two things are as the peers have them where the paper leaves them open: `adv20` is a mean of volume in
shares, and the day of a maximum counts from the oldest of the window, which ranks as minus the days since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import Operator, col
from factorloom.expressions.parse import operators, parse

__all__ = ["SETS", "alpha101", "alpha158", "arguments", "sample", "single"]

WINDOWS = (5, 10, 20, 30, 60)

BARS = {
    "KMID": "(close - open) / open",
    "KLEN": "(high - low) / open",
    "KMID2": "(close - open) / (high - low + 1e-12)",
    "KUP": "(high - max(open, close)) / open",
    "KUP2": "(high - max(open, close)) / (high - low + 1e-12)",
    "KLOW": "(min(open, close) - low) / open",
    "KLOW2": "(min(open, close) - low) / (high - low + 1e-12)",
    "KSFT": "(2 * close - high - low) / open",
    "KSFT2": "(2 * close - high - low) / (high - low + 1e-12)",
    "OPEN0": "open / close",
    "HIGH0": "high / close",
    "LOW0": "low / close",
    "VWAP0": "vwap / close",
}

CHANGE, TURNOVER = "(close - ts_delay(close, 1))", "(volume - ts_delay(volume, 1))"
MOVED = "(abs(close / ts_delay(close, 1) - 1) * volume)"


def _gains(name: str, change: str) -> dict[str, str]:
    """The gains, the losses and their difference, as a share of all changes."""
    gain, loss = (f"ts_sum(max({part}, 0), {{d}}, min_samples=1)" for part in (change, f"-{change}"))
    total = f"(ts_sum(abs({change}), {{d}}, min_samples=1) + 1e-12)"
    shares = {"P": gain, "N": loss, "D": f"({gain} - {loss})"}
    return {name + end: f"{part} / {total}" for end, part in shares.items()}


ROLLING = {
    "ROC": "ts_delay(close, {d}) / close",
    "MA": "ts_mean(close, {d}, min_samples=1) / close",
    "STD": "ts_std(close, {d}, min_samples=2) / close",
    "BETA": "ts_trend(close, {d}, value='slope', min_samples=2) / close",
    "RSQR": "ts_trend(close, {d}, value='rsquared', min_samples=2)",
    "RESI": "ts_trend(close, {d}, value='residual', min_samples=2) / close",
    "MAX": "ts_max(high, {d}, min_samples=1) / close",
    "MIN": "ts_min(low, {d}, min_samples=1) / close",
    "QTLU": "ts_quantile(close, {d}, q=0.8, min_samples=1) / close",
    "QTLD": "ts_quantile(close, {d}, q=0.2, min_samples=1) / close",
    "RANK": "ts_rank(close, {d}, min_samples=1)",
    "RSV": "(close - ts_min(low, {d}, min_samples=1))"
    " / (ts_max(high, {d}, min_samples=1) - ts_min(low, {d}, min_samples=1) + 1e-12)",
    "IMAX": "(ts_argmax(high, {d}, origin='start', min_samples=1) + 1) / {d}",
    "IMIN": "(ts_argmin(low, {d}, origin='start', min_samples=1) + 1) / {d}",
    "IMXD": "(ts_argmax(high, {d}, origin='start', min_samples=1)"
    " - ts_argmin(low, {d}, origin='start', min_samples=1)) / {d}",
    "CORR": "ts_corr(close, log(volume + 1), {d}, min_samples=2)",
    "CORD": "ts_corr(close / ts_delay(close, 1), log(volume / ts_delay(volume, 1) + 1), {d}, min_samples=2)",
    "CNTP": f"ts_mean({CHANGE} > 0, {{d}}, min_samples=1)",
    "CNTN": f"ts_mean({CHANGE} < 0, {{d}}, min_samples=1)",
    "CNTD": f"ts_mean({CHANGE} > 0, {{d}}, min_samples=1) - ts_mean({CHANGE} < 0, {{d}}, min_samples=1)",
    **_gains("SUM", CHANGE),
    "VMA": "ts_mean(volume, {d}, min_samples=1) / (volume + 1e-12)",
    "VSTD": "ts_std(volume, {d}, min_samples=2) / (volume + 1e-12)",
    "WVMA": f"ts_std({MOVED}, {{d}}, min_samples=2) / (ts_mean({MOVED}, {{d}}, min_samples=1) + 1e-12)",
    **_gains("VSUM", TURNOVER),
}

ALPHA101 = {
    "alpha002": "-1 * ts_corr(cs_rank(ts_delta(log(volume), 2)), cs_rank((close - open) / open), 6)",
    "alpha003": "-1 * ts_corr(cs_rank(open), cs_rank(volume), 10)",
    "alpha004": "-1 * ts_rank(cs_rank(low), 9)",
    "alpha005": "cs_rank(open - ts_mean(vwap, 10)) * (-1 * abs(cs_rank(close - vwap)))",
    "alpha008": "-1 * cs_rank(ts_sum(open, 5) * ts_sum({returns}, 5)"
    " - ts_delay(ts_sum(open, 5) * ts_sum({returns}, 5), 10))",
    "alpha011": "(cs_rank(ts_max(vwap - close, 3)) + cs_rank(ts_min(vwap - close, 3))) * cs_rank(ts_delta(volume, 3))",
    "alpha013": "-1 * cs_rank(ts_cov(cs_rank(close), cs_rank(volume), 5))",
    "alpha015": "-1 * ts_sum(cs_rank(ts_corr(cs_rank(high), cs_rank(volume), 3)), 3)",
    "alpha016": "-1 * cs_rank(ts_cov(cs_rank(high), cs_rank(volume), 5))",
    "alpha017": "-1 * cs_rank(ts_rank(close, 10)) * cs_rank(ts_delta(ts_delta(close, 1), 1))"
    " * cs_rank(ts_rank(volume / {adv20}, 5))",
    "alpha022": "-1 * ts_delta(ts_corr(high, volume, 5), 5) * cs_rank(ts_std(close, 20))",
    "alpha026": "-1 * ts_max(ts_corr(ts_rank(volume, 5), ts_rank(high, 5), 5), 3)",
    "alpha031": "cs_rank(cs_rank(cs_rank(ts_decay_linear(-1 * cs_rank(cs_rank(ts_delta(close, 10))), 10))))"
    " + cs_rank(-1 * ts_delta(close, 3)) + sign(cs_scale(ts_corr({adv20}, low, 12)))",
    "alpha035": "ts_rank(volume, 32) * (1 - ts_rank(close + high - low, 16)) * (1 - ts_rank({returns}, 32))",
    "alpha039": "-1 * cs_rank(ts_delta(close, 7) * (1 - cs_rank(ts_decay_linear(volume / {adv20}, 9))))"
    " * (1 + cs_rank(ts_sum({returns}, 250)))",
    "alpha042": "cs_rank(vwap - close) / cs_rank(vwap + close)",
    "alpha043": "ts_rank(volume / {adv20}, 20) * ts_rank(-1 * ts_delta(close, 7), 8)",
    "alpha050": "-1 * ts_max(cs_rank(ts_corr(cs_rank(volume), cs_rank(vwap), 5)), 5)",
    "alpha055": "-1 * ts_corr(cs_rank((close - ts_min(low, 12)) / (ts_max(high, 12) - ts_min(low, 12))),"
    " cs_rank(volume), 6)",
    "alpha057": "0 - (close - vwap) / ts_decay_linear(cs_rank(-ts_argmax(close, 30)), 2)",
}
ARGUMENTS = {"window": 20, "periods": 5, "by": "sector", "threshold": 1.0}
COLUMNS = ("close", "volume", "vwap", "amount")
"""What operators are timed with: these columns, one after another, wherever no argument has a value of its own."""

SHORT = {"returns": "(close / ts_delay(close, 1) - 1)", "adv20": "ts_mean(volume, 20)"}


def alpha158() -> dict[str, Factor]:
    """Qlib's Alpha158: 9 shapes of the bar, 4 price ratios, and 29 features over 5 windows."""
    texts = dict(BARS)
    texts |= {f"{name}{d}": text.format(d=d) for name, text in ROLLING.items() for d in WINDOWS}
    return {name: parse(text) for name, text in texts.items()}


def alpha101() -> dict[str, Factor]:
    """20 of the 101 formulaic alphas."""
    return {name: parse(text.format_map(SHORT)) for name, text in ALPHA101.items()}


def single() -> dict[str, Factor]:
    """Every operator that looks along time or across symbols, once, on plain columns."""
    return {op.name: _call(op) for op in operators() if op.axis is not Axis.CELL}


def arguments(op: Operator[...]) -> dict[str, Any]:
    """What an operator is timed with: what it must be given, and nothing else.

    >>> from factorloom.expressions.operator import find
    >>> arguments(find("ts_corr"))
    {'x': <Factor close>, 'y': <Factor volume>, 'window': 20}
    """
    columns = map(col, COLUMNS)
    required = [p.name for p in op.signature.parameters.values() if p.default is p.empty]
    return {name: ARGUMENTS[name] if name in ARGUMENTS else next(columns) for name in required}


def _call(op: Operator[...]) -> Factor:
    given = arguments(op)
    named = {name: given.pop(name) for name in tuple(given) if _only_by_name(op, name)}
    return op(*given.values(), **named)


def _only_by_name(op: Operator[...], name: str) -> bool:
    return op.signature.parameters[name].kind is Parameter.KEYWORD_ONLY


SETS: Mapping[str, Callable[[], dict[str, Factor]]] = {
    "alpha158": alpha158,
    "alpha101": alpha101,
    "operators": single,
}


def sample(factors: dict[str, Factor], count: int) -> dict[str, Factor]:
    """So many of the factors, evenly spread.

    >>> sample(dict.fromkeys("abcdef"), 3)
    {'a': None, 'c': None, 'e': None}
    """
    names = list(factors)
    chosen = (names[place * len(names) // count] for place in range(count))
    return {name: factors[name] for name in chosen}
