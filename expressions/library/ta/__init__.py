"""Technical indicators under TA-Lib's names, with its defaults; and some from charting programs.

Each is a function of prices and windows, `fl.library.ta.rsi(fl.close, window=7)`, that gives a factor, or a tuple of
factors. `technical()` is the set of all with their defaults.

All that TA-Lib has are tested against it; a note says where the definition differs. An average starts from the mean of
its first window, as in TA-Lib. Where a ratio is 0 / 0, TA-Lib gives 0 or 50, and the value is missing here. A missing
bar is skipped by exponential averages, and makes the windows that contain it missing. Nothing is annualised.

Candlestick patterns (`CDL`) equal TA-Lib's on every bar on which both have a value. Before that they are missing, where
TA-Lib writes 0. After a missing price TA-Lib writes 0 for ever in all patterns that average earlier bars; here a
pattern is missing only while the price is among those that it reads. A candle that closes at its open is white.
"""

from factorloom.expressions.library.library import Library
from factorloom.expressions.library.ta.band import *
from factorloom.expressions.library.ta.candle import *
from factorloom.expressions.library.ta.candles import *
from factorloom.expressions.library.ta.directional import *
from factorloom.expressions.library.ta.momentum import *
from factorloom.expressions.library.ta.oscillator import *
from factorloom.expressions.library.ta.overlap import *
from factorloom.expressions.library.ta.price import *
from factorloom.expressions.library.ta.registry import REFUSED, entries
from factorloom.expressions.library.ta.statistic import *
from factorloom.expressions.library.ta.volatility import *
from factorloom.expressions.library.ta.volume import *


def technical() -> Library:
    """All technical indicators with their default parameters.

    Reads `open high low close volume`. Functions of `fl.library.ta` take other inputs and parameters.

    Examples
    --------
    >>> import factorloom as fl
    >>> technical = fl.library.technical()
    >>> print(technical["ROC"])
    100 * ts_pct_change(close, 10)
    >>> print(fl.library.ta.roc(fl.vwap, window=5))
    100 * ts_pct_change(vwap, 5)
    >>> technical.entries["ROC"].source
    'TA-Lib, ROC'
    """
    left_out = "\n".join(f"- `{name}`: {why}" for name, why in sorted(REFUSED.items()))
    about = f"{(__doc__ or '').strip()}\n\nLeft out on purpose:\n\n{left_out}"
    return Library("technical", "Technical indicators", "TA-Lib, and the works named below", entries(), about=about)
