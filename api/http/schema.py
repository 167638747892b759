"""What requests and answers hold. Unknown keys are refused, so that no typing slip goes unnoticed."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from factorloom.storage.catalog import Dataset

__all__ = [
    "Checked",
    "Datasets",
    "Expressions",
    "Health",
    "Query",
    "Score",
    "Scored",
    "Scores",
    "Table",
    "Validated",
]

MAX_FACTORS = 100
MAX_SYMBOLS = 10_000

Expression = Annotated[str, Meta(description="A factor as text.", examples=["cs_rank(ts_pct_change(close, 20))"])]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
When = Annotated[str | None, Meta(description="A date or datetime in ISO form.", examples=["2025-12-31"])]


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all requests."""


class Expressions(Request, frozen=True):
    """Expressions to check, by name; with a dataset, its columns are checked too."""

    factors: Annotated[dict[Name, Expression], Meta(min_length=1, max_length=MAX_FACTORS)]
    dataset: str | None = None


class Checked(Struct, frozen=True):
    """What is known of a factor before it runs."""

    expression: str
    digest: str
    axis: str
    lookback: int
    lookahead: int
    unbounded: bool
    columns: tuple[str, ...]


class Validated(Struct, frozen=True):
    """The factors of a request, each as it was understood."""

    factors: dict[str, Checked]


class Query(Request, frozen=True):
    """Factor values of some symbols and dates; both ends of the dates are included."""

    dataset: str
    factors: Annotated[dict[Name, Expression], Meta(min_length=1, max_length=MAX_FACTORS)]
    symbols: Annotated[list[str], Meta(max_length=MAX_SYMBOLS)] | None = None
    start: When = None
    end: When = None


class Table(Struct, frozen=True):
    """Values by column: `symbol`, `date`, and one list of numbers per factor, null where missing."""

    dataset: str
    version: int
    rows: int
    columns: dict[str, list[Any]]


class Score(Request, frozen=True):
    """A score model, with the keys of its TOML form, and the date to score: by default the last."""

    dataset: str
    model: dict[str, Any]
    date: When = None


class Scored(Struct, frozen=True):
    """The score of one symbol: what each factor contributed, or the reason why there is none."""

    symbol: str
    score: float | None
    rank: int | None
    percentile: float | None
    reason: str | None
    contributions: dict[str, float | None]


class Scores(Struct, frozen=True):
    """The scores of a date, best first."""

    dataset: str
    version: int
    model: str
    model_digest: str
    date: Annotated[str, Meta(description="In ISO form.")]
    rows: list[Scored]


class Datasets(Struct, frozen=True):
    """All datasets, by name."""

    datasets: list[Dataset]


class Health(Struct, frozen=True):
    """How the service is."""

    status: str
