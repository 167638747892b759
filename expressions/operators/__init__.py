"""The operators. Each is one paragraph: signature, documentation, and its forms.

- `cell/`: on the bar's own values: `arithmetic.py`, `function.py`, `rounding.py`, `comparison.py` and `logic.py`, and
  `reduction.py` for several inputs;
- `time/`: along the bars of one symbol: `shift.py`, `date.py`, `moment.py`, `weighted.py`, `pair.py`, `regression.py`,
  `residual.py`, `extreme.py`, `standard.py`, `order.py`, `quantile.py`, `path.py`, `recursive.py` and `cumulative.py`;
  and the indicators `adaptive.py`, `oscillator.py` and `transform.py`;
- `cross/`: across the symbols of one date: `moment.py`, `ranking.py` and `robust.py`, `group.py` for the same within a
  category, and `residual.py`;
- `polars.py`: those that Polars runs;
- `loop/`: the loops that several of them share.
"""

from typing import TYPE_CHECKING

from factorloom.expressions.operators import cell, cross, polars, time
from factorloom.expressions.operators.cell import *
from factorloom.expressions.operators.cross import *
from factorloom.expressions.operators.polars import *
from factorloom.expressions.operators.time import *

# Type checkers cannot read a computed list: to them, what is imported by a star is public.
if not TYPE_CHECKING:
    __all__ = [*cell.__all__, *time.__all__, *cross.__all__, *polars.__all__]
