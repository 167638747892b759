"""Operators along the bars of one symbol."""

from typing import TYPE_CHECKING

from factorloom.expressions.operators.time import (
    adaptive,
    cumulative,
    date,
    extreme,
    moment,
    order,
    oscillator,
    pair,
    path,
    quantile,
    recursive,
    regression,
    residual,
    shift,
    standard,
    transform,
    weighted,
)
from factorloom.expressions.operators.time.adaptive import *
from factorloom.expressions.operators.time.cumulative import *
from factorloom.expressions.operators.time.date import *
from factorloom.expressions.operators.time.extreme import *
from factorloom.expressions.operators.time.moment import *
from factorloom.expressions.operators.time.order import *
from factorloom.expressions.operators.time.oscillator import *
from factorloom.expressions.operators.time.pair import *
from factorloom.expressions.operators.time.path import *
from factorloom.expressions.operators.time.quantile import *
from factorloom.expressions.operators.time.recursive import *
from factorloom.expressions.operators.time.regression import *
from factorloom.expressions.operators.time.residual import *
from factorloom.expressions.operators.time.shift import *
from factorloom.expressions.operators.time.standard import *
from factorloom.expressions.operators.time.transform import *
from factorloom.expressions.operators.time.weighted import *

# Type checkers cannot read a computed list: to them, what is imported by a star is public.
if not TYPE_CHECKING:
    __all__ = [
        *shift.__all__,
        *date.__all__,
        *moment.__all__,
        *standard.__all__,
        *weighted.__all__,
        *extreme.__all__,
        *order.__all__,
        *quantile.__all__,
        *path.__all__,
        *pair.__all__,
        *regression.__all__,
        *residual.__all__,
        *recursive.__all__,
        *oscillator.__all__,
        *cumulative.__all__,
        *adaptive.__all__,
        *transform.__all__,
    ]
