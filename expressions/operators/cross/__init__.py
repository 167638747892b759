"""Operators across the symbols of one date, whole or within a category."""

from typing import TYPE_CHECKING

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

# Type checkers cannot read a computed list: to them, what is imported by a star is public.
if not TYPE_CHECKING:
    __all__ = [*moment.__all__, *ranking.__all__, *robust.__all__, *group.__all__, *residual.__all__]
