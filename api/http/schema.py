"""The bodies of requests and responses. Unknown keys in a request are errors, so that a misspelt key is not ignored."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from factorloom.storage.catalog import Dataset

__all__ = [
    "CheckedFactor",
    "DatasetList",
    "Health",
    "QueryRequest",
    "QueryResponse",
    "ScoreRequest",
    "ScoreResponse",
    "SymbolScore",
    "ValidateRequest",
    "ValidateResponse",
]

MAX_FACTORS = 100
MAX_SYMBOLS = 10_000
MAX_DATES = 10_000

Expression = Annotated[str, Meta(description="A factor as text.", examples=["cs_rank(ts_pct_change(close, 20))"])]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
When = Annotated[str | None, Meta(description="A date or datetime in ISO form.", examples=["2025-12-31"])]


class RequestBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all request bodies."""


class ValidateRequest(RequestBody, frozen=True):
    """Expressions to check, by name; with a dataset, its columns are checked too."""

    factors: Annotated[dict[Name, Expression], Meta(min_length=1, max_length=MAX_FACTORS)]
    dataset: str | None = None


class CheckedFactor(Struct, frozen=True):
    """The properties of a factor that are known without computing it."""

    expression: str
    digest: str
    axis: str
    lookback: int
    lookahead: int
    unbounded: bool
    columns: tuple[str, ...]


class ValidateResponse(Struct, frozen=True):
    """The checked factors, by name."""

    factors: dict[str, CheckedFactor]


class QueryRequest(RequestBody, frozen=True):
    """Factors to compute, and a selection of symbols and dates; both ends are included."""

    dataset: str
    factors: Annotated[dict[Name, Expression], Meta(min_length=1, max_length=MAX_FACTORS)]
    symbols: Annotated[list[str], Meta(max_length=MAX_SYMBOLS)] | None = None
    start: When = None
    end: When = None
    dates: Annotated[list[str], Meta(description="Exactly these dates.", max_length=MAX_DATES)] | None = None


class QueryResponse(Struct, frozen=True):
    """Factor values by column: `symbol`, `date`, and one list of numbers per factor, with null for missing."""

    dataset: str
    version: int
    rows: int
    columns: dict[str, list[Any]]


class ScoreRequest(RequestBody, frozen=True):
    """A score model, with the keys of its TOML form, and the date to score, by default the last."""

    dataset: str
    model: dict[str, Any]
    date: When = None


class SymbolScore(Struct, frozen=True):
    """The score of one symbol with the contribution of each factor, or the reason why it has no score."""

    symbol: str
    score: float | None
    rank: int | None
    percentile: float | None
    quantile: int | None
    coverage: float
    reason: str | None
    contributions: dict[str, float | None]


class ScoreResponse(Struct, frozen=True):
    """The scores of a date, best first."""

    dataset: str
    version: int
    model: str
    model_digest: str
    date: Annotated[str, Meta(description="In ISO form.")]
    rows: list[SymbolScore]


class DatasetList(Struct, frozen=True):
    """All datasets, by name."""

    datasets: list[Dataset]


class Health(Struct, frozen=True):
    """The health of the service."""

    status: str
