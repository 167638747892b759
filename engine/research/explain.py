"""Why a symbol has its score on a date: what each step made of its factors, and what changed since an earlier date.

The numbers are those of `score.py`: the steps are its expressions (`standard.py`) and its weights (`combine.py`) over
the same cross-section, the contributions its own. A change is split by scoring frames in between. With `S` the
contributions of the symbol,

    S0   on the earlier date
    Sv   on the earlier date, with the symbol's own inputs and category of today
    Su   today, with the weights of the earlier date
    S1   today

    value = Sv - S0,  universe = Su - Sv,  weight = S1 - Su
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from factorloom.engine.bars.layout import Array
from factorloom.engine.bars.read import encode_bars
from factorloom.engine.bars.selection import When, refuse_unknown_symbols, select
from factorloom.engine.panel import Engine, Panel
from factorloom.engine.research.chosen import find_date
from factorloom.engine.research.combine import counted, rotated
from factorloom.engine.research.explanation import ScoreExplanation
from factorloom.engine.research.fit.dated import dated_shares
from factorloom.engine.research.fit.walk import fit_weights
from factorloom.engine.research.model import CONTRIBUTION, ScoreModel
from factorloom.engine.research.raw import check_kinds, raw_inputs
from factorloom.engine.research.score import score_frame
from factorloom.engine.research.standard import steps
from factorloom.expressions.errors import ArgumentError, ParameterError
from factorloom.expressions.operator import col

__all__ = ["compared_dates", "explain_score", "explained"]

CHANGES = {
    "factor": pl.String,
    **dict.fromkeys(("before", "after", "value", "universe", "weight"), pl.Float64),
    "note": pl.String,
}


def explain_score(
    panel: Panel,
    model: ScoreModel,
    symbol: str,
    date: When | None = None,
    *,
    before: When | None = None,
    engine: Engine = "numba",
) -> ScoreExplanation:
    """Why a symbol has its score on a date, and what changed since an earlier one.

    Parameters
    ----------
    panel, model, engine
        As for `fl.score`.
    symbol
        A symbol of the panel.
    date
        A date of the panel, or its ISO text; default: the last date.
    before
        The earlier date to compare with; default: the last one before `date` on which the panel has bars.

    Raises
    ------
    ParameterError
        The panel has no bars on a date, `before` is not before `date`, or no symbol has this name.
    UnknownColumnError
        As for `fl.score`.

    Examples
    --------
    >>> import factorloom as fl
    >>> model = fl.ScoreModel("cheap", {"low_price": fl.ScoreFactor(fl.close, direction=-1)})
    >>> found = fl.explain_score(fl.example(), model, "B")
    >>> print(found)
    B on 2024-01-04, cheap: score -1.34898, rank 3 of 3, percentile 0.333
    <BLANKLINE>
    factor     raw  winsorized  standardized  direction  share  contribution
    low_price   22          22       1.34898         -1      1      -1.34898
    sum                                                             -1.34898
    <BLANKLINE>
    since 2024-01-03
    factor       before     after      value   universe  weight
    low_price  -0.89932  -1.34898  -0.337245  -0.112415       0
    sum        -0.89932  -1.34898  -0.337245  -0.112415       0
    """
    check_kinds(panel, model)
    if not isinstance(symbol, str):
        raise ArgumentError(f"symbol must be text, got {type(symbol).__name__}")
    refuse_unknown_symbols([symbol], panel.symbols)
    day, earlier = compared_dates(panel.dates, date, before)
    chosen = select(dates=[each for each in (earlier, day) if each is not None])
    weights = None if model.fit is None else fit_weights(panel, model, start=earlier or day, end=day, engine=engine)
    return explained(raw_inputs(panel, model, chosen, engine), model, symbol, day, earlier, weights, engine=engine)


def compared_dates(
    dates: pl.Series, date: When | None, before: When | None
) -> tuple[datetime.date, datetime.date | None]:
    """The date of the score and the one to compare with, among the distinct dates, sorted."""
    day = find_date(dates, date)
    if before is None:
        earlier: datetime.date | None = dates.filter(dates < day).max()  # type: ignore[assignment]
        return day, earlier
    chosen = find_date(dates, before)
    if chosen >= day:
        raise ParameterError(f"before must be earlier than {day}, got {chosen}")
    return day, chosen


def explained(
    frame: pl.DataFrame,
    model: ScoreModel,
    symbol: str,
    date: datetime.date,
    before: datetime.date | None,
    weights: pl.DataFrame | None = None,
    *,
    engine: Engine = "numba",
) -> ScoreExplanation:
    """The explanation from the raw factors of two dates, and weights, as `score_frame` takes them."""
    today = frame.filter(pl.col("date") == date)
    scores = score_frame(today, model, weights, engine=engine)
    found = scores.filter(pl.col("symbol") == symbol)
    absent: dict[str, Any] = {"reason": f"no bar on {date}"}
    row = found.row(0, named=True) if found.height else absent
    return ScoreExplanation(
        symbol,
        date,
        model.name,
        score=row.get("score"),
        rank=row.get("rank"),
        percentile=row.get("percentile"),
        reason=row["reason"],
        of=scores["score"].count(),
        before=before,
        factors=_factors(today, model, symbol, row, weights, engine),
        changes=_changes(frame, scores, model, symbol, date, before, weights, engine),
    )


# --- the steps ----------------------------------------------------------------------------------------------


def _factors(
    today: pl.DataFrame,
    model: ScoreModel,
    symbol: str,
    row: Mapping[str, Any],
    weights: pl.DataFrame | None,
    engine: Engine,
) -> pl.DataFrame:
    """What each step made of the symbol's factors, and what they contribute."""
    shares = np.atleast_2d(dated_shares(model, weights, today["date"].head(1)))[0]
    of_symbol = _steps(today, model, symbol, shares, engine)
    lacking = row["reason"] if not of_symbol else _lacking(today, model, symbol)
    rows = []
    for (name, part), share in zip(model.factors.items(), shares.tolist(), strict=True):
        values = of_symbol.get(name, {})
        contribution = row.get(f"{CONTRIBUTION}{name}")
        known = {"factor": name, "group": part.group, "expression": str(part.expression), **values}
        known |= {"direction": part.direction, "weight": _known(share), "contribution": contribution}
        rows.append(known | {"missing": _why(model, known, lacking, row["reason"])})
    return pl.DataFrame(rows, schema=_schema(model))


def _schema(model: ScoreModel) -> dict[str, Any]:
    """The columns of `factors`: those of steps that the model does not have are left out."""
    return {
        "factor": pl.String,
        **({"group": pl.String} if model.groups else {}),
        "expression": pl.String,
        **dict.fromkeys(("raw", "winsorized", "standardized"), pl.Float64),
        **({"neutral": pl.Float64} if model.exposures else {}),
        **({"rotated": pl.Float64} if model.orthogonalize else {}),
        "direction": pl.Int64,
        "weight": pl.Float64,
        "share": pl.Float64,
        **({"weighed": pl.Float64} if model.exposures else {}),
        "contribution": pl.Float64,
        "missing": pl.String,
    }


def _steps(
    today: pl.DataFrame, model: ScoreModel, symbol: str, weights: Array, engine: Engine
) -> dict[str, dict[str, float | None]]:
    """The value of each step by factor, for a symbol with a bar."""
    panel = Panel(encode_bars(today))
    if symbol not in panel.symbols:
        return {}
    place = panel.symbols.to_list().index(symbol)
    expressions = steps(model, {name: col(name) for name in model.inputs})
    wanted = {
        f"{step}_{name}": factor
        for name, each in expressions.items()
        for step, factor in each._asdict().items()
        if factor is not None
    }
    values = panel.compute(wanted, engine=engine)
    last = "neutral" if model.exposures else "standardized"
    z = values.select(f"{last}_{name}" for name in model.factors).to_numpy()
    weighed = rotated(model, z, np.zeros(len(z), np.int64))
    shares = np.where(np.isnan(weighed), np.nan, counted(model, weighed, weights))
    row = values.row(place, named=True)
    found = {}
    for number, (name, part) in enumerate(model.factors.items()):
        value, share = float(weighed[place, number]), float(shares[place, number])
        found[name] = {
            "raw": panel.table[name][place],
            **{step: row[f"{step}_{name}"] for step in ("winsorized", "standardized")},
            "neutral": row.get(f"neutral_{name}"),
            "rotated": _known(value),
            "share": _known(share),
            "weighed": _known(value * (part.direction * share)),
        }
    return found


def _lacking(today: pl.DataFrame, model: ScoreModel, symbol: str) -> str:
    """Which of the category and the exposures the symbol does not have."""
    row = today.row(by_predicate=pl.col("symbol") == symbol, named=True)
    needed = [*([model.neutralize] if model.neutralize else []), *model.exposures]
    names = ", ".join(name for name in needed if row[name] is None)
    return f"no {names}" if names else ""


def _why(model: ScoreModel, row: Mapping[str, Any], lacking: str, reason: str | None) -> str | None:
    """Why a factor has no value to weigh, by the first step without one."""
    place = f"in its {model.neutralize}" if model.neutralize and not model.exposures else "on the date"
    rotation = "explained by the factors before it" if model.orthogonalize == "order" else "no spread on the date"
    causes = [
        (row.get("raw") is None, lacking if lacking.startswith("no bar") else "raw value missing"),
        (bool(lacking), lacking),
        (row.get("standardized") is None, f"no spread {place}"),
        (bool(model.exposures) and row.get("neutral") is None, "no spread left by the exposures"),
        (row.get("share") is None and reason is not None, "too few factors"),
        (row.get("rotated") is None, rotation),
        (row["contribution"] is None, "no spread left by the exposures"),
    ]
    return next((text for holds, text in causes if holds), None)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


# --- the changes --------------------------------------------------------------------------------------------


def _changes(
    frame: pl.DataFrame,
    scores: pl.DataFrame,
    model: ScoreModel,
    symbol: str,
    date: datetime.date,
    before: datetime.date | None,
    weights: pl.DataFrame | None,
    engine: Engine,
) -> pl.DataFrame:
    """The change of each contribution; `scores` are those of the date."""
    if before is None:
        return pl.DataFrame(schema=CHANGES)
    earlier = frame.filter(pl.col("date") == before)
    old = None if weights is None else weights.filter(pl.col("date") <= before)
    first = _contributions(score_frame(earlier, model, old, engine=engine), model, symbol)
    last = kept = moved = _contributions(scores, model, symbol)
    if first is not None and last is not None:
        replaced = _replaced(frame, symbol, date, before)
        moved = _contributions(score_frame(replaced, model, old, engine=engine), model, symbol)
        if weights is not None:
            today = frame.filter(pl.col("date") == date)
            kept = _contributions(score_frame(today, model, old, engine=engine), model, symbol)
    rows = []
    for name in model.factors:
        s0, sv, su, s1 = (((each or {}).get(name) or 0.0) for each in (first, moved, kept, last))
        known = {"before": (first or {}).get(name), "after": (last or {}).get(name)}
        note = _note(((before, first), (date, last)), name)
        rows.append({"factor": name, **known, "value": sv - s0, "universe": su - sv, "weight": s1 - su, "note": note})
    return pl.DataFrame(rows, schema=CHANGES)


def _contributions(scores: pl.DataFrame, model: ScoreModel, symbol: str) -> dict[str, float | None] | None:
    """The contributions of the symbol on a date; None without a bar."""
    found = scores.filter(pl.col("symbol") == symbol)
    return {name: found[f"{CONTRIBUTION}{name}"][0] for name in model.factors} if found.height else None


def _replaced(frame: pl.DataFrame, symbol: str, date: datetime.date, before: datetime.date) -> pl.DataFrame:
    """The earlier cross-section, in which the symbol has its values and category of the date."""
    is_symbol = pl.col("symbol") == symbol
    others = frame.filter(~is_symbol, pl.col("date") == before)
    own = frame.filter(is_symbol, pl.col("date") == date)
    return pl.concat([others, own.with_columns(pl.lit(before, frame.schema["date"]).alias("date"))])


def _note(dated: Iterable[tuple[datetime.date, Mapping[str, float | None] | None]], name: str) -> str | None:
    """What is missing on which date."""
    notes = []
    for date, found in dated:
        if found is None:
            notes.append(f"no bar on {date}")
        elif found[name] is None:
            scored = any(value is not None for value in found.values())
            notes.append(f"{'missing' if scored else 'no score'} on {date}")
    return "; ".join(notes) or None
