"""Qlib's two standard sets of features, Alpha158 and Alpha360, under Qlib's names.

Source: X. Yang, W. Liu, D. Zhou, J. Bian, T.-Y. Liu, "Qlib: An AI-oriented Quantitative Investment Platform",
arXiv 2009.11189, 2020; the features are those of its data handlers.

In Qlib a window may be as short as the history: `min_samples=1`. A deviation, a regression or a correlation still needs
2 values. Where Qlib divides by zero and keeps an infinity, the value is missing here.
"""

from __future__ import annotations

from factorloom.expressions.errors import WindowError
from factorloom.expressions.library.library import Library, read_formulas

__all__ = ["alpha158", "alpha360"]

SOURCE = "Qlib, arXiv 2009.11189 (2020)"
WINDOWS = (5, 10, 20, 30, 60)
BARS = 60
"""The number of bars in Alpha360."""

SHAPES = {
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

PRICE_CHANGE, VOLUME_CHANGE = "(close - ts_delay(close, 1))", "(volume - ts_delay(volume, 1))"
UP, DOWN = "{known}close > ts_delay(close, 1){or_not}", "{known}close < ts_delay(close, 1){or_not}"
MOVED = "(abs(close / ts_delay(close, 1) - 1) * volume)"


def _gains(name: str, change: str) -> dict[str, str]:
    """The gains, the losses and their difference, as a share of all changes."""
    gain, loss = (f"ts_sum(max({part}, 0), {{some}})" for part in (change, f"-{change}"))
    total = f"(ts_sum(abs({change}), {{some}}) + 1e-12)"
    shares = {"P": gain, "N": loss, "D": f"({gain} - {loss})"}
    return {name + end: f"{part} / {total}" for end, part in shares.items()}


ROLLING = {
    "ROC": "ts_delay(close, {d}) / close",
    "MA": "ts_mean(close, {some}) / close",
    "STD": "ts_std(close, {two}) / close",
    "BETA": "ts_trend(close, {two}, value='slope') / close",
    "RSQR": "ts_trend(close, {two}, value='rsquared')",
    "RESI": "ts_trend(close, {two}, value='residual') / close",
    "MAX": "ts_max(high, {some}) / close",
    "MIN": "ts_min(low, {some}) / close",
    "QTLU": "ts_quantile(close, {some}, q=0.8) / close",
    "QTLD": "ts_quantile(close, {some}, q=0.2) / close",
    "RANK": "ts_rank(close, {some})",
    "RSV": "(close - ts_min(low, {some})) / (ts_max(high, {some}) - ts_min(low, {some}) + 1e-12)",
    "IMAX": "(ts_argmax(high, {some}, origin='start') + 1) / {d}",
    "IMIN": "(ts_argmin(low, {some}, origin='start') + 1) / {d}",
    "IMXD": "(ts_argmax(high, {some}, origin='start') - ts_argmin(low, {some}, origin='start')) / {d}",
    "CORR": "ts_corr(close, log(volume + 1), {two})",
    "CORD": "ts_corr(close / ts_delay(close, 1), log(volume / ts_delay(volume, 1) + 1), {two})",
    "CNTP": f"ts_mean({UP}, {{some}})",
    "CNTN": f"ts_mean({DOWN}, {{some}})",
    "CNTD": f"ts_mean({UP}, {{some}}) - ts_mean({DOWN}, {{some}})",
    **_gains("SUM", PRICE_CHANGE),
    "VMA": "ts_mean(volume, {some}) / (volume + 1e-12)",
    "VSTD": "ts_std(volume, {two}) / (volume + 1e-12)",
    "WVMA": f"ts_std({MOVED}, {{two}}) / (ts_mean({MOVED}, {{some}}) + 1e-12)",
    **_gains("VSUM", VOLUME_CHANGE),
}


COUNTED = "a missing change counts as no change, unless the window must be full"
CHEAP = "Qlib gives no value where a standard deviation in the window is below 2e-5, in any unit"
PLACED = "where a price in the window is missing, Qlib takes its bar instead of that of the largest or smallest one"
NOTES = {
    **dict.fromkeys(("CNTP", "CNTN", "CNTD"), COUNTED),
    **dict.fromkeys(("RSQR", "CORR", "CORD"), CHEAP),
    **dict.fromkeys(("IMAX", "IMIN", "IMXD"), PLACED),
}


def alpha158(min_samples: int | None = 1) -> Library:
    """Qlib's Alpha158: 9 shapes of the bar, 4 price ratios, and 29 features over 5 windows.

    Reads `open high low close volume vwap`. The longest lookback is 60 bars.

    Parameters
    ----------
    min_samples
        How many values a window must have: 1 as in Qlib, or None for all of them.

    Raises
    ------
    WindowError
        Where `min_samples` is more than 5, the shortest window, or less than 1.

    Examples
    --------
    >>> import factorloom as fl
    >>> print(fl.library.alpha158()["RSV5"])  # doctest: +NORMALIZE_WHITESPACE
    (close - ts_min(low, 5, min_samples=1)) / (ts_max(high, 5, min_samples=1) - ts_min(low, 5, min_samples=1) + 1e-12)
    >>> print(fl.library.alpha158(min_samples=None)["MA20"])
    ts_mean(close, 20) / close
    """
    if min_samples is not None and not 1 <= min_samples <= min(WINDOWS):
        raise WindowError(f"min_samples must be None or from 1 to {min(WINDOWS)}, got {min_samples!r}")
    texts, notes = dict(SHAPES), dict[str, str]()
    for name, text in ROLLING.items():
        texts |= {f"{name}{d}": text.format_map(_windows(d, min_samples)) for d in WINDOWS}
        notes |= {f"{name}{d}": NOTES[name] for d in WINDOWS if name in NOTES}
    return Library("alpha158", "Alpha158", SOURCE, read_formulas(texts, notes), about=__doc__ or "")


def alpha360() -> Library:
    """Qlib's Alpha360: the prices and volumes of the last 60 bars, divided by the last close and the last volume.

    Reads `open high low close volume vwap`. The lookback is 59 bars.

    Examples
    --------
    >>> import factorloom as fl
    >>> alpha360 = fl.library.alpha360()
    >>> print(alpha360["CLOSE59"], "|", alpha360["VOLUME0"])
    ts_delay(close, 59) / close | volume / (volume + 1e-12)
    """
    texts = {}
    for name in ("close", "open", "high", "low", "vwap", "volume"):
        below = "(volume + 1e-12)" if name == "volume" else "close"
        for back in reversed(range(BARS)):
            texts[f"{name.upper()}{back}"] = f"{f'ts_delay({name}, {back})' if back else name} / {below}"
    return Library("alpha360", "Alpha360", SOURCE, read_formulas(texts), about=__doc__ or "")


def _windows(d: int, min_samples: int | None) -> dict[str, object]:
    """The arguments of a window that needs `min_samples` values, and of one that needs at least two."""
    if min_samples is None:
        return {"d": d, "some": d, "two": d, "known": "", "or_not": ""}
    some, two = (f"{d}, min_samples={least}" for least in (min_samples, max(min_samples, 2)))
    return {"d": d, "some": some, "two": two, "known": "fill(", "or_not": ", 0)"}
