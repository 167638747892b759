"""Factors in the language of Polars: importing this module registers the namespace `fl`.

import factorloom.polars

pl.col("close").fl.ts_rank(10).fl.cs_rank()         # operators of ours on expressions
bars.fl.with_factors(momentum=pl.col("close").pct_change(20).rank().over("date"))   # columns of any frame
"""

from __future__ import annotations

import polars as pl

from factorloom.engine.frame import FrameFactors as FrameFactors
from factorloom.engine.frame import with_factors as with_factors
from factorloom.expressions.polars.namespace import ExprOperators as ExprOperators
from factorloom.expressions.polars.read import from_polars as from_polars
from factorloom.expressions.polars.stages import PolarsStages as PolarsStages
from factorloom.expressions.polars.write import to_polars as to_polars

__all__ = ["ExprOperators", "FrameFactors", "PolarsStages", "from_polars", "to_polars", "with_factors"]

pl.api.register_expr_namespace("fl")(ExprOperators)
pl.api.register_dataframe_namespace("fl")(FrameFactors)
pl.api.register_lazyframe_namespace("fl")(FrameFactors)
