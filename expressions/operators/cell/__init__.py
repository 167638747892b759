"""Operators on the bar's own values."""

from typing import TYPE_CHECKING

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

# Type checkers cannot read a computed list: to them, what is imported by a star is public.
if not TYPE_CHECKING:
    __all__ = [
        *arithmetic.__all__,
        *function.__all__,
        *rounding.__all__,
        *comparison.__all__,
        *logic.__all__,
        *reduction.__all__,
    ]
