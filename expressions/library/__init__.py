"""Libraries of named factors from the literature.

>>> import factorloom as fl
>>> print(fl.library.styles()["reversal_5d"])
ts_pct_change(close, 5)
"""

from collections.abc import Callable, Mapping

from factorloom.expressions.library import ta
from factorloom.expressions.library.alpha101 import alpha101
from factorloom.expressions.library.gtja191 import gtja191
from factorloom.expressions.library.library import Entry, Library
from factorloom.expressions.library.qlib import alpha158, alpha360
from factorloom.expressions.library.styles import styles
from factorloom.expressions.library.ta import technical

__all__ = ["LIBRARIES", "Entry", "Library", "alpha101", "alpha158", "alpha360", "gtja191", "styles", "ta", "technical"]

LIBRARIES: Mapping[str, Callable[[], Library]] = {
    "alpha101": alpha101,
    "alpha158": alpha158,
    "alpha360": alpha360,
    "gtja191": gtja191,
    "technical": technical,
    "styles": styles,
}
"""What makes each library, by its name."""
