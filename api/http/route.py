"""The handlers. Each parses its text, asks the store, and answers; what blocks runs on a thread, off the event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect

from factorloom.api.http import schema
from factorloom.api.http.answer import answer
from factorloom.api.http.problem import refusals
from factorloom.engine.research.model import ScoreModel
from factorloom.expressions.errors import DatasetError, LookaheadError, ParameterError, UnknownColumnError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.parse import parse
from factorloom.storage.catalog import Dataset
from factorloom.storage.store import Store

__all__ = ["HANDLERS"]

MAX_CELLS = 2_000_000
"""Numbers in one answer."""

Asked = Request[Any, Any, State]
CONTRIBUTION = "contribution_"


@get("/", include_in_schema=False)
async def root() -> Redirect:
    return Redirect("/schema")


@get("/health/live", tags=["health"], summary="Whether the process answers", responses=refusals(500))
async def live() -> schema.Health:
    return schema.Health("live")


@get(
    "/health/ready",
    tags=["health"],
    summary="Whether the store answers",
    sync_to_thread=True,
    responses=refusals(500, 503),
)
def ready(state: State) -> schema.Health:
    _store(state).datasets()
    return schema.Health("ready")


@get("/v1/datasets", tags=["data"], summary="All datasets", sync_to_thread=True, responses=refusals(500, 503))
def datasets(state: State) -> schema.Datasets:
    return schema.Datasets(_datasets(_store(state)))


@get(
    "/v1/datasets/{name:str}",
    tags=["data"],
    summary="One dataset",
    sync_to_thread=True,
    responses=refusals(400, 404, 500, 503),
)
def dataset(state: State, name: FromPath[str]) -> Dataset:
    return _dataset(_store(state), name)


@post(
    "/v1/factors/validate",
    tags=["factors"],
    summary="Check factors",
    status_code=200,
    sync_to_thread=True,
    responses=refusals(400, 404, 413, 500, 503),
)
def validate(state: State, data: JSONBody[schema.Expressions]) -> schema.Validated:
    """Every factor as it was understood, or the first fault with its place."""
    factors = _parsed(data.factors)
    if data.dataset is not None:
        known = _dataset(_store(state), data.dataset).columns
        for factor in factors.values():
            _check_columns(factor, known)
    return schema.Validated({name: _checked(factor) for name, factor in factors.items()})


@post(
    "/v1/query",
    tags=["factors"],
    summary="Values of factors",
    status_code=200,
    sync_to_thread=True,
    responses=refusals(400, 404, 406, 413, 500, 503),
)
def query(request: Asked, state: State, data: JSONBody[schema.Query]) -> Response[schema.Table]:
    """Factors given as text over some symbols and dates, in JSON or, by `Accept`, as an Arrow stream.

    A value is that of the whole history, whatever part of it is asked for.
    """
    store = _store(state)
    factors = _parsed(data.factors)
    for name, factor in factors.items():
        _refuse_lookahead(name, factor)
    version, values = _at_one_version(
        store,
        data.dataset,
        lambda: store.compute(data.dataset, factors, start=data.start, end=data.end, symbols=data.symbols),
    )
    if values.height * values.width > MAX_CELLS:
        raise ParameterError(
            f"the answer has {values.height:,} rows of {values.width} columns: more than {MAX_CELLS:,} values",
            hint="ask for fewer symbols, dates or factors",
        )
    return answer(
        request, values, lambda: schema.Table(data.dataset, version, values.height, values.to_dict(as_series=False))
    )


@post(
    "/v1/score",
    tags=["scores"],
    summary="Scores of a date",
    status_code=200,
    sync_to_thread=True,
    responses=refusals(400, 404, 406, 413, 500, 503),
)
def score(request: Asked, state: State, data: JSONBody[schema.Score]) -> Response[schema.Scores]:
    """Score the symbols of a date with a model; the scores are kept in the store and can be asked for in SQL."""
    store = _store(state)
    _refuse_too_many(data.model.get("factors"))
    model = ScoreModel.from_dict(data.model)
    version, scores = _at_one_version(store, data.dataset, lambda: store.score(data.dataset, model, date=data.date))
    head = (data.dataset, version, model.name, model.digest, scores["date"][0].isoformat())
    return answer(request, scores, lambda: schema.Scores(*head, _rows(scores)))


HANDLERS = [root, live, ready, datasets, dataset, validate, query, score]


def _store(state: State) -> Store:
    store: Store = state.store
    return store


def _at_one_version(store: Store, dataset: str, ask: Callable[[], pl.DataFrame]) -> tuple[int, pl.DataFrame]:
    """What `ask` gives, and the version of the dataset that it belongs to: asked again if a load came in between."""
    while True:
        version, frame = store.version(dataset), ask()
        if store.version(dataset) == version:
            return version, frame


def _datasets(store: Store) -> list[Dataset]:
    return [Dataset(**row) for row in store.datasets().iter_rows(named=True)]


def _dataset(store: Store, name: str) -> Dataset:
    known = {entry.name: entry for entry in _datasets(store)}
    if name not in known:
        raise DatasetError(f"the store has no dataset {name!r}", hint=suggest(name, known))
    return known[name]


def _parsed(texts: Mapping[str, str]) -> dict[str, Factor]:
    return {name: parse(text) for name, text in texts.items()}


def _checked(factor: Factor) -> schema.Checked:
    return schema.Checked(
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
            f"factor {name!r} looks ahead: {', '.join(ahead)}", hint="look-ahead is for labels and is not served"
        )


def _refuse_too_many(factors: object) -> None:
    if isinstance(factors, dict) and len(factors) > schema.MAX_FACTORS:
        raise ParameterError(
            f"the model has {len(factors):,} factors: more than {schema.MAX_FACTORS}",
            hint="send fewer, or score it without the service: factorloom score",
        )


def _rows(scores: pl.DataFrame) -> list[schema.Scored]:
    parts = {name: name.removeprefix(CONTRIBUTION) for name in scores.columns if name.startswith(CONTRIBUTION)}
    return [
        schema.Scored(
            symbol=row["symbol"],
            score=row["score"],
            rank=row["rank"],
            percentile=row["percentile"],
            reason=row["reason"],
            contributions={short: row[name] for name, short in parts.items()},
        )
        for row in scores.iter_rows(named=True)
    ]
