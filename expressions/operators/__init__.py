"""The operators. Each is one paragraph: signature, documentation, and its forms.

- `cell/`: on the bar's own values: `arithmetic.py`, `function.py`, `rounding.py`, `comparison.py` and `logic.py`, and
  `reduction.py` for several inputs;
- `time/`: along the bars of one symbol: `shift.py`, `moment.py`, `weighted.py`, `pair.py`, `regression.py`,
  `extreme.py`, `standard.py`, `order.py`, `quantile.py`, `path.py`, `recursive.py` and `cumulative.py`; and the
  indicators `adaptive.py`, `oscillator.py` and `transform.py`;
- `cross/`: across the symbols of one date: `moment.py`, `ranking.py` and `robust.py`, `group.py` for the same within a
  category, and `residual.py`;
- `loop/`: the loops that several of them share.
"""

from factorloom.expressions.operators.cell.arithmetic import *
from factorloom.expressions.operators.cell.arithmetic import __all__ as _cell_arithmetic
from factorloom.expressions.operators.cell.comparison import *
from factorloom.expressions.operators.cell.comparison import __all__ as _cell_comparison
from factorloom.expressions.operators.cell.function import *
from factorloom.expressions.operators.cell.function import __all__ as _cell_function
from factorloom.expressions.operators.cell.logic import *
from factorloom.expressions.operators.cell.logic import __all__ as _cell_logic
from factorloom.expressions.operators.cell.reduction import *
from factorloom.expressions.operators.cell.reduction import __all__ as _cell_reduction
from factorloom.expressions.operators.cell.rounding import *
from factorloom.expressions.operators.cell.rounding import __all__ as _cell_rounding
from factorloom.expressions.operators.cross.group import *
from factorloom.expressions.operators.cross.group import __all__ as _cross_group
from factorloom.expressions.operators.cross.moment import *
from factorloom.expressions.operators.cross.moment import __all__ as _cross_moment
from factorloom.expressions.operators.cross.ranking import *
from factorloom.expressions.operators.cross.ranking import __all__ as _cross_ranking
from factorloom.expressions.operators.cross.residual import *
from factorloom.expressions.operators.cross.residual import __all__ as _cross_residual
from factorloom.expressions.operators.cross.robust import *
from factorloom.expressions.operators.cross.robust import __all__ as _cross_robust
from factorloom.expressions.operators.time.adaptive import *
from factorloom.expressions.operators.time.adaptive import __all__ as _time_adaptive
from factorloom.expressions.operators.time.cumulative import *
from factorloom.expressions.operators.time.cumulative import __all__ as _time_cumulative
from factorloom.expressions.operators.time.extreme import *
from factorloom.expressions.operators.time.extreme import __all__ as _time_extreme
from factorloom.expressions.operators.time.moment import *
from factorloom.expressions.operators.time.moment import __all__ as _time_moment
from factorloom.expressions.operators.time.order import *
from factorloom.expressions.operators.time.order import __all__ as _time_order
from factorloom.expressions.operators.time.oscillator import *
from factorloom.expressions.operators.time.oscillator import __all__ as _time_oscillator
from factorloom.expressions.operators.time.pair import *
from factorloom.expressions.operators.time.pair import __all__ as _time_pair
from factorloom.expressions.operators.time.path import *
from factorloom.expressions.operators.time.path import __all__ as _time_path
from factorloom.expressions.operators.time.quantile import *
from factorloom.expressions.operators.time.quantile import __all__ as _time_quantile
from factorloom.expressions.operators.time.recursive import *
from factorloom.expressions.operators.time.recursive import __all__ as _time_recursive
from factorloom.expressions.operators.time.regression import *
from factorloom.expressions.operators.time.regression import __all__ as _time_regression
from factorloom.expressions.operators.time.shift import *
from factorloom.expressions.operators.time.shift import __all__ as _time_shift
from factorloom.expressions.operators.time.standard import *
from factorloom.expressions.operators.time.standard import __all__ as _time_standard
from factorloom.expressions.operators.time.transform import *
from factorloom.expressions.operators.time.transform import __all__ as _time_transform
from factorloom.expressions.operators.time.weighted import *
from factorloom.expressions.operators.time.weighted import __all__ as _time_weighted

__all__: list[str] = []
__all__ += _cell_arithmetic
__all__ += _cell_function
__all__ += _cell_rounding
__all__ += _cell_comparison
__all__ += _cell_logic
__all__ += _cell_reduction
__all__ += _time_shift
__all__ += _time_moment
__all__ += _time_standard
__all__ += _time_weighted
__all__ += _time_extreme
__all__ += _time_order
__all__ += _time_quantile
__all__ += _time_path
__all__ += _time_pair
__all__ += _time_regression
__all__ += _time_recursive
__all__ += _time_oscillator
__all__ += _time_cumulative
__all__ += _time_adaptive
__all__ += _time_transform
__all__ += _cross_moment
__all__ += _cross_ranking
__all__ += _cross_robust
__all__ += _cross_group
__all__ += _cross_residual
