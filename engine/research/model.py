"""The score model: which factors, how much each weighs, and what makes them comparable.

A model is checked when it is made, with the same rules and the same words whether it comes from Python,
TOML or JSON: every message starts with the path to the fault, `$` being the model. How a model becomes a
score is told in `score.py`, how it is read and written in `document.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec.structs import force_setattr

from factorloom.engine.research.document import (
    brief,
    build,
    child,
    named,
    placed,
    positive,
    read_json,
    read_text,
    read_toml,
    under,
    write_toml,
)
from factorloom.expressions.errors import FactorloomError, LookaheadError, ModelError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.parse import parse

__all__ = ["Method", "ScoreFactor", "ScoreModel", "Winsorize"]

Method = Literal["mad", "std", "quantile"]
METHODS: tuple[Method, ...] = ("mad", "std", "quantile")

MEANING = 1
"""Part of every digest: raised when the same model would give another score."""

KEYS = ("symbol", "date")
WIDEST = 1e100
"""The largest ratio between two weights: beyond it the smaller one would vanish in Float64."""


class ScoreFactor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, eq=False):
    """One factor of a score model.

    Attributes
    ----------
    expression : Factor
        The raw factor; its text is accepted too.
    weight : float
        How much it counts beside the others; only the ratios of weights matter. Greater than 0.
    direction : int
        1 where a high value is good, -1 where a low one is.

    Examples
    --------
    >>> import factorloom as fl
    >>> calm = fl.ScoreFactor("ts_std(returns, 20)", weight=2, direction=-1)
    >>> calm.expression is fl.ts_std(fl.returns, 20)
    True
    """

    expression: Factor
    weight: float = 1.0
    direction: Literal[-1, 1] = 1

    if TYPE_CHECKING:

        def __init__(self, expression: Factor | str, weight: float = 1.0, direction: Literal[-1, 1] = 1) -> None: ...

    def __post_init__(self) -> None:
        force_setattr(self, "expression", _past("$.expression", self.expression))
        force_setattr(self, "weight", positive("$.weight", self.weight))
        if self.direction not in (-1, 1) or type(self.direction) is not int:
            raise ModelError(f"$.direction: must be 1 or -1, got {self.direction!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScoreFactor) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @property
    def _content(self) -> tuple[str, float, int]:
        return self.expression.digest, self.weight, self.direction


class Winsorize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How wild values are held in before they are scored: the parameters of `cs_winsorize`.

    Attributes
    ----------
    method : {"mad", "std", "quantile"}
        Around the median in robust standard deviations, around the mean in standard deviations, or between
        quantiles.
    limit : float
        How many of them, or with `"quantile"` the share cut from each end, below 0.5.
    """

    method: Method = "mad"
    limit: float = 3.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            hint = suggest(str(self.method), METHODS)
            raise ModelError(f"$.method: must be one of {', '.join(METHODS)}, got {self.method!r}", hint=hint)
        force_setattr(self, "limit", positive("$.limit", self.limit))
        if self.method == "quantile" and self.limit >= 0.5:
            rule = "must be below 0.5 with method 'quantile': it is the share cut from each end"
            raise ModelError(f"$.limit: {rule}, got {self.limit:g}", hint="for example 0.01")


class ScoreModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named recipe for scoring a cross-section of symbols.

    Attributes
    ----------
    name : str
        Lower-case letters, digits and `_`.
    factors : dict of str to ScoreFactor
        The factors by name. A bare factor, its text, or a mapping of keys is made a `ScoreFactor`.
    winsorize : Winsorize or None
        None (in TOML and JSON `false`) leaves wild values as they are.
    neutralize : str or None
        A column of categories, such as `"sector"`: factors are then compared within their category.
    min_factors : int or None
        How many factors a symbol needs to get a score; None asks for half of them, rounded up.
    description : str

    Raises
    ------
    ModelError
        Where a rule is broken; the message carries the path to the fault.
    LookaheadError
        Where a factor looks ahead.

    Examples
    --------
    >>> import factorloom as fl
    >>> model = fl.ScoreModel(
    ...     "calm_momentum",
    ...     {
    ...         "momentum": fl.ScoreFactor("ts_delay(close, 21) / ts_delay(close, 252) - 1", weight=2),
    ...         "volatility": fl.ScoreFactor("ts_std(returns, 20)", direction=-1),
    ...     },
    ... )
    >>> model == fl.ScoreModel.from_toml(model.to_toml())
    True
    """

    name: str
    factors: dict[str, ScoreFactor]
    winsorize: Winsorize | None = msgspec.field(default_factory=Winsorize)
    neutralize: str | None = None
    min_factors: int | None = None
    description: str = ""

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            factors: Mapping[str, ScoreFactor | Factor | str],
            winsorize: Winsorize | None = ...,
            neutralize: str | None = None,
            min_factors: int | None = None,
            description: str = "",
        ) -> None: ...

    def __post_init__(self) -> None:
        named("$.name", self.name)
        force_setattr(self, "factors", _factors(self.factors))
        force_setattr(self, "winsorize", _winsorize(self.winsorize))
        _check_column(self.neutralize, self.factors)
        _check_count(self.min_factors, len(self.factors))
        if not isinstance(self.description, str):
            raise ModelError(f"$.description: must be text, got {self.description!r}")

    def __hash__(self) -> int:
        return hash((self.name, self.digest))

    @classmethod
    def from_dict(cls, data: object) -> ScoreModel:
        """A model from plain dicts, as TOML and JSON give them.

        >>> import factorloom as fl
        >>> fl.ScoreModel.from_dict({"name": "calm", "factors": {"calm": {"expression": "low", "weigth": 2}}})
        Traceback (most recent call last):
            ...
        factorloom.expressions.errors.ModelError: $.factors.calm.weigth: unknown key
          hint: did you mean 'weight'?
        """
        return build(cls, data, "$")

    @classmethod
    def from_toml(cls, source: str | Path) -> ScoreModel:
        """A model from a TOML file, or from TOML text: a string with a line break in it is text.

        Raises
        ------
        ModelError
            Where there is no such file, it is not TOML, or not a model; the message names file and line.
        """
        if isinstance(source, str) and "\n" in source:
            return cls.from_dict(read_toml(source))
        path = Path(source)
        data = read_toml(read_text(path), str(path))
        with under(f"{path}: $"):
            return cls.from_dict(data)

    @classmethod
    def from_json(cls, source: bytes | str) -> ScoreModel:
        """A model from JSON text."""
        return cls.from_dict(read_json(source))

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts that `from_dict` reads back; what holds its default is left out, factors are text."""
        optional = ("description", "neutralize", "min_factors")
        return {
            "name": self.name,
            **{key: getattr(self, key) for key in optional if getattr(self, key)},
            "winsorize": msgspec.to_builtins(self.winsorize) if self.winsorize else False,
            "factors": {
                name: {"expression": str(part.expression), "weight": part.weight, "direction": part.direction}
                for name, part in self.factors.items()
            },
        }

    def to_toml(self) -> str:
        """TOML text that `from_toml` reads back."""
        data = self.to_dict()
        tables = {f"factors.{name}": part for name, part in data.pop("factors").items()}
        if data["winsorize"]:
            tables = {"winsorize": data.pop("winsorize"), **tables}
        parts = [write_toml(data), *(f"[{title}]\n{write_toml(table)}" for title, table in tables.items())]
        return "\n".join(parts)

    @property
    def digest(self) -> str:
        """32 hexadecimal digits, the same in every process: two models with one digest give the same scores.

        Name and description do not count, nor does the order of the factors.
        """
        content = {
            "meaning": MEANING,
            "factors": {name: part._content for name, part in self.factors.items()},
            "winsorize": msgspec.to_builtins(self.winsorize),
            "neutralize": self.neutralize,
            "min_factors": self.needed,
        }
        return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()

    @property
    def raw(self) -> dict[str, Factor]:
        """The factors as they are before scoring, by name."""
        return {name: part.expression for name, part in self.factors.items()}

    @property
    def needed(self) -> int:
        """How many factors a symbol needs to get a score."""
        return self.min_factors or -(-len(self.factors) // 2)


# --- the rules, each with the path of what it checks --------------------------------------------------------


def _past(path: str, expression: object) -> Factor:
    """The factor, read from text where it is text, if it knows only the past."""
    if isinstance(expression, str):
        try:
            expression = parse(expression)
        except FactorloomError as error:
            raise placed(path, error) from None
    if not isinstance(expression, Factor):
        raise ModelError(f"{path}: must be a factor or its text, got {brief(expression)}")
    ahead = expression.looking_ahead()
    if ahead:
        hint = "a score may only know the past; look-ahead is for labels"
        raise LookaheadError(f"{path}: {', '.join(ahead)} looks ahead in {expression}", hint=hint)
    return expression


def _factors(parts: object) -> dict[str, ScoreFactor]:
    if not isinstance(parts, Mapping) or not parts:
        raise ModelError(f"$.factors: must name at least one factor, got {brief(parts)}")
    made = {name: _factor(child("$.factors", name), name, part) for name, part in parts.items()}
    weights = [part.weight for part in made.values()]
    if max(weights) / WIDEST > min(weights):
        raise ModelError(f"$.factors: weights must lie within a ratio of {WIDEST:g} of each other")
    return made


def _factor(path: str, name: object, part: object) -> ScoreFactor:
    named(path, name)
    if name in KEYS:
        raise ModelError(f"{path}: {name} is a key of the bars and cannot name a factor")
    if isinstance(part, ScoreFactor):
        return part
    if isinstance(part, Factor | str):
        part = {"expression": part}
    return build(ScoreFactor, part, path)


def _winsorize(value: object) -> Winsorize | None:
    if value is None or value is False:
        return None
    return value if isinstance(value, Winsorize) else build(Winsorize, value, "$.winsorize")


def _check_column(name: object, factors: Mapping[str, ScoreFactor]) -> None:
    if name is not None and (not isinstance(name, str) or not name):
        raise ModelError(f"$.neutralize: must be the name of a column, got {brief(name)}")
    if name in factors:
        raise ModelError(f"$.neutralize: {name!r} is a factor of the model, not a column of categories")


def _check_count(count: object, factors: int) -> None:
    if count is not None and (type(count) is not int or not 1 <= count <= factors):
        raise ModelError(f"$.min_factors: must be a whole number from 1 to {factors}, got {brief(count)}")
