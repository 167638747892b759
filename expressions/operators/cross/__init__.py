"""Operators across the symbols of one date, whole or within a category."""

from factorloom.expressions.operators.cross import (
    group,
    moment,
    ranking,
    residual,
    robust,
)
from factorloom.expressions.operators.cross.group import *
from factorloom.expressions.operators.cross.moment import *
from factorloom.expressions.operators.cross.ranking import *
from factorloom.expressions.operators.cross.residual import *
from factorloom.expressions.operators.cross.robust import *

__all__: list[str] = []
__all__ += moment.__all__
__all__ += ranking.__all__
__all__ += robust.__all__
__all__ += group.__all__
__all__ += residual.__all__
