"""Tables for the script to offer as CSV: compressed, in the page, without an address to fetch."""

from __future__ import annotations

import base64
import zlib

import polars as pl

from factorloom.engine.research.report.source import Source
from factorloom.expressions.markup import Markup, tag

__all__ = ["csv_text", "downloads"]

SHORT = (
    "summary",
    "quantile_returns",
    "ic_by_year",
    "ic_by_group",
    "ic_decay",
    "alpha_beta",
    "tails",
    "correlation",
    "dropped",
)
"""Tables without dates, which are short enough to travel with the page."""

FORMULA = r"^([=+\-@\t\r])"


def csv_text(table: pl.DataFrame) -> str:
    """A table as CSV with six digits; an apostrophe stands before text that a spreadsheet would run as a formula."""
    flat = table.with_columns(
        pl.col(pl.Float64).round_sig_figs(6),
        pl.col(pl.String, pl.Categorical, pl.Enum).cast(pl.String).str.replace(FORMULA, "'${1}"),
    )
    return flat.write_csv(line_terminator="\r\n")


def downloads(source: Source) -> Markup:
    """A block of data for each table: CSV in UTF-8, deflated, in base64."""
    return tag(
        "div", *(_block(name, source.tables[name]) for name in SHORT if _has_rows(source, name)), id="tables", hidden=""
    )


def _has_rows(source: Source, name: str) -> bool:
    return name in source.tables and source.tables[name].height > 0


def _block(name: str, table: pl.DataFrame) -> Markup:
    packed = base64.b64encode(zlib.compress(csv_text(table).encode(), 9)).decode()
    return tag("data", value=packed, data_name=name, data_rows=f"{table.height:,}")
