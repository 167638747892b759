"""Operators on the bar's own values."""

from factorloom.expressions.operators.cell import (
    arithmetic,
    comparison,
    function,
    logic,
    reduction,
    rounding,
)
from factorloom.expressions.operators.cell.arithmetic import *
from factorloom.expressions.operators.cell.comparison import *
from factorloom.expressions.operators.cell.function import *
from factorloom.expressions.operators.cell.logic import *
from factorloom.expressions.operators.cell.reduction import *
from factorloom.expressions.operators.cell.rounding import *

__all__: list[str] = []
__all__ += arithmetic.__all__
__all__ += function.__all__
__all__ += rounding.__all__
__all__ += comparison.__all__
__all__ += logic.__all__
__all__ += reduction.__all__
