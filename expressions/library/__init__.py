"""Libraries of named factors from the literature.

>>> import factorloom as fl
>>> print(fl.library.styles()["reversal_5d"].factor)
ts_pct_change(close, 5)
"""

from factorloom.expressions.library.styles import Style, styles

__all__ = ["Style", "styles"]
