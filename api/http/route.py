"""The handlers of the routes. Each parses the request and calls the store; blocking work runs on threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect

from factorloom.api.http import schema
from factorloom.api.http.problem import error_responses
from factorloom.api.http.response import respond
from factorloom.engine.research.model import CONTRIBUTION, ScoreModel
from factorloom.expressions.errors import DatasetError, LookaheadError, ParameterError, UnknownColumnError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.parse import parse
from factorloom.storage.catalog import Dataset
from factorloom.storage.store import Store

__all__ = ["HANDLERS"]

MAX_CELLS = 2_000_000
"""Values in one response."""


@get("/", include_in_schema=False)
async def root() -> Redirect:
    return Redirect("/schema")


@get("/health/live", tags=["health"], summary="Whether the process responds", responses=error_responses(500))
async def live() -> schema.Health:
    return schema.Health("live")


@get(
    "/health/ready",
    tags=["health"],
    summary="Whether the store can be read",
    sync_to_thread=True,
    responses=error_responses(500, 503),
)
def ready(state: State) -> schema.Health:
    _store(state).datasets()
    return schema.Health("ready")


@get("/v1/datasets", tags=["data"], summary="All datasets", sync_to_thread=True, responses=error_responses(500, 503))
def datasets(state: State) -> schema.DatasetList:
    return schema.DatasetList(_datasets(_store(state)))


@get(
    "/v1/datasets/{name:str}",
    tags=["data"],
    summary="One dataset",
    sync_to_thread=True,
    responses=error_responses(400, 404, 500, 503),
)
def dataset(state: State, name: FromPath[str]) -> Dataset:
    return _dataset(_store(state), name)


@post(
    "/v1/factors/validate",
    tags=["factors"],
    summary="Check factors",
    status_code=200,
    sync_to_thread=True,
    responses=error_responses(400, 404, 413, 500, 503),
)
def validate(state: State, data: JSONBody[schema.ValidateRequest]) -> schema.ValidateResponse:
    """Parse every factor; returns them in canonical form, or the first error with its position."""
    factors = _parse_all(data.factors)
    if data.dataset is not None:
        known = _dataset(_store(state), data.dataset).columns
        for factor in factors.values():
            _check_columns(factor, known)
    return schema.ValidateResponse({name: _describe(factor) for name, factor in factors.items()})


@post(
    "/v1/query",
    tags=["factors"],
    summary="Compute factors",
    status_code=200,
    sync_to_thread=True,
    responses=error_responses(400, 404, 406, 413, 500, 503),
)
def query(
    request: Request[Any, Any, State], state: State, data: JSONBody[schema.QueryRequest]
) -> Response[schema.QueryResponse]:
    """Factor values of the selected symbols and dates, in JSON or, by `Accept`, as an Arrow stream.

    Factors are computed over the whole history, whatever is selected.
    """
    store = _store(state)
    factors = _parse_all(data.factors)
    for name, factor in factors.items():
        _refuse_lookahead(name, factor)
    version, values = _with_version(
        store,
        data.dataset,
        lambda: store.compute(
            data.dataset, factors, start=data.start, end=data.end, symbols=data.symbols, dates=data.dates
        ),
    )
    if values.height * values.width > MAX_CELLS:
        raise ParameterError(
            f"the response has {values.height:,} rows of {values.width} columns: more than {MAX_CELLS:,} values",
            hint="select fewer symbols, dates or factors",
        )
    return respond(
        request,
        values,
        lambda: schema.QueryResponse(data.dataset, version, values.height, values.to_dict(as_series=False)),
    )


@post(
    "/v1/score",
    tags=["scores"],
    summary="Score a date",
    status_code=200,
    sync_to_thread=True,
    responses=error_responses(400, 404, 406, 413, 500, 503),
)
def score(
    request: Request[Any, Any, State], state: State, data: JSONBody[schema.ScoreRequest]
) -> Response[schema.ScoreResponse]:
    """Score the symbols of a date with a model, and store the scores, where SQL can query them."""
    store = _store(state)
    _refuse_too_many(data.model.get("factors"))
    model = ScoreModel.from_dict(data.model)
    version, scores = _with_version(store, data.dataset, lambda: store.score(data.dataset, model, date=data.date))
    head = (data.dataset, version, model.name, model.digest, scores["date"][0].isoformat())
    return respond(request, scores, lambda: schema.ScoreResponse(*head, _rows(scores)))


HANDLERS = [root, live, ready, datasets, dataset, validate, query, score]


def _store(state: State) -> Store:
    store: Store = state.store
    return store


def _with_version(store: Store, dataset: str, call: Callable[[], pl.DataFrame]) -> tuple[int, pl.DataFrame]:
    """The version of a dataset and the result of `call` on it; repeats the call if a load changed the dataset."""
    while True:
        version, frame = store.version(dataset), call()
        if store.version(dataset) == version:
            return version, frame


def _datasets(store: Store) -> list[Dataset]:
    return [Dataset(**row) for row in store.datasets().iter_rows(named=True)]


def _dataset(store: Store, name: str) -> Dataset:
    known = {entry.name: entry for entry in _datasets(store)}
    if name not in known:
        raise DatasetError(f"the store has no dataset {name!r}", hint=suggest(name, known))
    return known[name]


def _parse_all(texts: Mapping[str, str]) -> dict[str, Factor]:
    return {name: parse(text) for name, text in texts.items()}


def _describe(factor: Factor) -> schema.CheckedFactor:
    return schema.CheckedFactor(
        expression=str(factor),
        digest=factor.digest,
        axis=factor.axis.value,
        lookback=factor.lookback,
        lookahead=factor.lookahead,
        unbounded=factor.unbounded,
        columns=factor.columns,
    )


def _check_columns(factor: Factor, known: list[str]) -> None:
    for name in factor.columns:
        if name not in known:
            raise UnknownColumnError(f"the dataset has no column {name!r}", hint=suggest(name, known))


def _refuse_lookahead(name: str, factor: Factor) -> None:
    ahead = factor.looking_ahead()
    if ahead:
        raise LookaheadError(
            f"factor {name!r} looks ahead: {', '.join(ahead)}",
            hint="only labels may look ahead, and the service does not compute labels",
        )


def _refuse_too_many(factors: object) -> None:
    if isinstance(factors, dict) and len(factors) > schema.MAX_FACTORS:
        raise ParameterError(
            f"the model has {len(factors):,} factors: more than {schema.MAX_FACTORS}",
            hint="send fewer factors, or score the model on the command line: factorloom score",
        )


def _rows(scores: pl.DataFrame) -> list[schema.SymbolScore]:
    parts = {name: name.removeprefix(CONTRIBUTION) for name in scores.columns if name.startswith(CONTRIBUTION)}
    return [
        schema.SymbolScore(
            symbol=row["symbol"],
            score=row["score"],
            rank=row["rank"],
            percentile=row["percentile"],
            quantile=row["quantile"],
            coverage=row["coverage"],
            reason=row["reason"],
            contributions={short: row[name] for name, short in parts.items()},
        )
        for row in scores.iter_rows(named=True)
    ]
