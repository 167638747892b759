"""The operators. Each is one paragraph: signature, documentation, and its forms.

- cell-wise: `arithmetic.py`, `function.py`, `rounding.py`, `comparison.py` and `logic.py`, and `reduction.py` for
  several inputs;
- along time: `shift.py`, `moment.py`, `weighted.py`, `pair.py`, `regression.py` (on `window.py`, `block.py` and
  `short.py`), `extreme.py`, `standard.py`, `order.py`, `quantile.py`, `path.py` (on `window.py` and `bound.py`),
  `recursive.py`, `cumulative.py`, and `adaptive.py`, `oscillator.py` and `transform.py`, which are indicators;
- across symbols: `cross.py`, `ranking.py` and `robust.py` (on `section.py`, `sort.py` and `normal.py`), `group.py` for
  the same within a category, and `residual.py`.
"""

from factorloom.expressions.operators import (
    adaptive,
    arithmetic,
    comparison,
    cross,
    cumulative,
    extreme,
    function,
    group,
    logic,
    moment,
    order,
    oscillator,
    pair,
    path,
    quantile,
    ranking,
    recursive,
    reduction,
    regression,
    residual,
    robust,
    rounding,
    shift,
    standard,
    transform,
    weighted,
)
from factorloom.expressions.operators.adaptive import *
from factorloom.expressions.operators.arithmetic import *
from factorloom.expressions.operators.comparison import *
from factorloom.expressions.operators.cross import *
from factorloom.expressions.operators.cumulative import *
from factorloom.expressions.operators.extreme import *
from factorloom.expressions.operators.function import *
from factorloom.expressions.operators.group import *
from factorloom.expressions.operators.logic import *
from factorloom.expressions.operators.moment import *
from factorloom.expressions.operators.order import *
from factorloom.expressions.operators.oscillator import *
from factorloom.expressions.operators.pair import *
from factorloom.expressions.operators.path import *
from factorloom.expressions.operators.quantile import *
from factorloom.expressions.operators.ranking import *
from factorloom.expressions.operators.recursive import *
from factorloom.expressions.operators.reduction import *
from factorloom.expressions.operators.regression import *
from factorloom.expressions.operators.residual import *
from factorloom.expressions.operators.robust import *
from factorloom.expressions.operators.rounding import *
from factorloom.expressions.operators.shift import *
from factorloom.expressions.operators.standard import *
from factorloom.expressions.operators.transform import *
from factorloom.expressions.operators.weighted import *

__all__: list[str] = []
__all__ += arithmetic.__all__
__all__ += function.__all__
__all__ += rounding.__all__
__all__ += comparison.__all__
__all__ += logic.__all__
__all__ += reduction.__all__
__all__ += shift.__all__
__all__ += moment.__all__
__all__ += standard.__all__
__all__ += weighted.__all__
__all__ += extreme.__all__
__all__ += order.__all__
__all__ += quantile.__all__
__all__ += path.__all__
__all__ += pair.__all__
__all__ += regression.__all__
__all__ += recursive.__all__
__all__ += oscillator.__all__
__all__ += cumulative.__all__
__all__ += adaptive.__all__
__all__ += transform.__all__
__all__ += cross.__all__
__all__ += ranking.__all__
__all__ += robust.__all__
__all__ += group.__all__
__all__ += residual.__all__
