"""The operators. Each is one paragraph: signature, documentation, and its forms.

- cell-wise: `arithmetic.py`, `logic.py`;
- along time: `shift.py`, `moment.py`, `order.py`, `pair.py` (on `window.py` and the plain loops of `block.py`) and
  `recursive.py`;
- across symbols: `cross.py` (on `section.py`), and `group.py` for the same within a category.
"""

from factorloom.expressions.operators import (
    arithmetic,
    cross,
    group,
    logic,
    moment,
    order,
    pair,
    recursive,
    shift,
)
from factorloom.expressions.operators.arithmetic import *
from factorloom.expressions.operators.cross import *
from factorloom.expressions.operators.group import *
from factorloom.expressions.operators.logic import *
from factorloom.expressions.operators.moment import *
from factorloom.expressions.operators.order import *
from factorloom.expressions.operators.pair import *
from factorloom.expressions.operators.recursive import *
from factorloom.expressions.operators.shift import *

__all__: list[str] = []
__all__ += arithmetic.__all__
__all__ += logic.__all__
__all__ += shift.__all__
__all__ += moment.__all__
__all__ += order.__all__
__all__ += pair.__all__
__all__ += recursive.__all__
__all__ += cross.__all__
__all__ += group.__all__
