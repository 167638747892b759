"""The 191 short-period price-volume factors of Guotai Junan Securities.

Source: Liu Fubing et al., "A multi-factor stock selection system on short-period price-volume features", Guotai Junan
Securities, 2017-06-15: the formulas are in table 6, the operators on page 31.

The operators are read as follows. SMA(A, n, m) is `y = (m * A + (n - m) * y) / n` from the first present value on,
missing until n values were seen: an exponential average of 2 * n / m - 1 bars. WMA weighs a bar 0.9 times as much as
the next one. MAX and MIN of a value and a number of bars are the largest and the smallest in a window, as TSMAX and
TSMIN are. RANK and TSRANK are percent ranks, in (0, 1]. STD and COVIANCE divide by n - 1. HIGHDAY and LOWDAY are 0
where the current bar is the extreme, and ties take the oldest. A condition is 1 or 0. DELAY(A) is one bar.

An unambiguous formula is kept as printed, even where a misprint is likely. One that lacks a window or a bracket, or
contradicts itself, is corrected, and a note says how.
"""

from __future__ import annotations

from factorloom.expressions.library.gtja191_formulas import FORMULAS, PARTS
from factorloom.expressions.library.library import Library, read_formulas

__all__ = ["gtja191"]

SOURCE = "Guotai Junan Securities, report of 2017-06-15, table 6"


RANGE = "the brackets are missing: the range of the running sums divided by the deviation, Hurst's rescaled range"
NOTES = {
    "gtja010": "the 5 belongs to MAX, a window; WorldQuant's alpha 1, its origin, takes the bar of the largest",
    "gtja021": "the regression is on 6 bars, as the sequence",
    "gtja022": "SMEAN is read as SMA",
    "gtja023": "the first condition is printed as STD(CLOSE:20),0 for STD(CLOSE,20):0",
    "gtja028": "the second %K has the denominator MAX(HIGH,9)-TSMAX(LOW,9); read as the first, as in gtja096",
    "gtja030": "`mkt smb hml` are the returns of the market and of the two portfolios of Fama and French",
    "gtja036": "the brackets are misplaced: the correlation is over 6 bars, the sum over 2",
    "gtja052": "L is read as LOW",
    "gtja054": "STD lacks its window: 10, as that of CORR; WorldQuant's alpha 18, which it comes from, has 5",
    "gtja055": "the swing index of Wilder, without his limit move; 0 / 0 is missing",
    "gtja069": "DTM and DBM are what gtja187 and gtja093 sum",
    "gtja078": "MA is read as MEAN; the deviation is that of the close, though that of the typical price is usual",
    "gtja116": "SEQUENCE lacks its length: 20, as the window",
    "gtja127": "MEAN lacks its window: 12, as that of MAX",
    "gtja131": "DELAT is read as DELTA",
    "gtja143": "SELF is the value of the bar before, at first 1; some hundred rises make it underflow to 0",
    "gtja146": "the last SMA lacks its m: 1; a return minus its distance from the average is the average",
    "gtja149": "FILTER keeps those of 252 bars on which the benchmark fell; two of them are enough",
    "gtja158": "the averages cancel, and only their warm-up remains",
    "gtja159": "HGIH is HIGH; the ultimate oscillator sums CLOSE minus the low, and weighs the third term by 6*12",
    "gtja165": RANGE,
    "gtja166": "brackets and powers are missing; the coefficients are those of the sample skewness, negated",
    "gtja172": "HD, LD and TR are the moves up and down and the true range of Wilder's directional movement",
    "gtja173": "as printed, with a logarithm in the third term only",
    "gtja180": "a bracket is misplaced: it is -1 * VOLUME where the volume is not above its mean",
    "gtja181": "the last SUM lacks its window: 20; otherwise as printed, though coskewness multiplies the deviations",
    "gtja183": RANGE,
    "gtja190": "the first square is printed of RET-(1+g)-1; both are read as (RET-g)^2, with g the growth of a bar",
}


def gtja191() -> Library:
    """The 191 short-period factors of Guotai Junan, `gtja001` to `gtja191`.

    Reads `open high low close volume vwap amount`, `benchmark_open benchmark_close` (the index, on the bars of every
    symbol) for 075, 149, 181 and 182, and the returns `mkt smb hml` for 030. The longest lookback is 252 bars; the
    factors made of exponential averages depend on the whole history.

    Returns
    -------
    Library
        Named factors in the order of the report, with a note on every choice.

    Examples
    --------
    >>> from factorloom.expressions.library.gtja191 import gtja191
    >>> report = gtja191()
    >>> report
    <Library gtja191: 191 factors>
    >>> print(report["gtja046"])
    (ts_mean(close, 3) + ts_mean(close, 6) + ts_mean(close, 12) + ts_mean(close, 24)) / (4 * close)
    >>> report.entries["gtja052"].note
    'L is read as LOW'
    """
    parts: dict[str, str] = {}
    for name, text in PARTS.items():
        parts[name] = f"({text.format_map(parts)})"
    texts = {name: text.format_map(parts) for name, text in FORMULAS.items()}
    return Library("gtja191", "GTJA Alpha191", SOURCE, read_formulas(texts, NOTES), about=__doc__ or "")
