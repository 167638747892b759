"""The score model: its factors with their weights and directions, and how they are standardised.

A model from Python, TOML or JSON is checked by the same rules when it is created. Every error message starts with the
path to its cause, in which `$` is the model. `score.py` computes scores from a model, and `document.py` reads and
writes models.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec
import polars as pl
from msgspec.structs import force_setattr

from factorloom.engine.research.check import (
    check_column,
    check_exposures,
    check_factors,
    check_groups,
    check_weighting,
    check_winsorize,
)
from factorloom.engine.research.document import (
    build,
    check_choice,
    check_name,
    check_whole,
    errors_under,
    read_json,
    read_text,
    read_toml,
    write_toml,
)
from factorloom.engine.research.fit.rule import Fit
from factorloom.engine.research.part import ScoreFactor, Winsorize
from factorloom.expressions.errors import ModelError, plural
from factorloom.expressions.factor import Factor
from factorloom.expressions.notebook import table_html

__all__ = [
    "CONTRIBUTION",
    "Fit",
    "Missing",
    "Orthogonalize",
    "ScoreFactor",
    "ScoreModel",
    "Transform",
    "Weighting",
    "Winsorize",
]

Transform = Literal["robust_zscore", "zscore", "rank", "normal_score"]
TRANSFORMS: tuple[Transform, ...] = ("robust_zscore", "zscore", "rank", "normal_score")
Orthogonalize = Literal["order", "symmetric"]
ORTHOGONALIZE: tuple[Orthogonalize, ...] = ("order", "symmetric")
Missing = Literal["reweight", "neutral"]
MISSING: tuple[Missing, ...] = ("reweight", "neutral")
Weighting: TypeAlias = Literal["fixed", "equal"] | Fit

MEANING = 2
"""The version of the computation, part of every digest: raise it when the same model gives other scores."""

CONTRIBUTION = "contribution_"
"""What stands before the name of a factor in the columns of scores."""
MOST_QUANTILES = 100


class ScoreModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A weighted composite of factors that scores the symbols of a date.

    Attributes
    ----------
    name : str
        Lower-case letters, digits and `_`.
    factors : dict of str to ScoreFactor
        The factors by name. A factor, its text, or a mapping of keys is converted to a `ScoreFactor`.
    winsorize : Winsorize or None
        None (in TOML and JSON `false`) leaves outliers unchanged.
    neutralize : str or None
        A categorical column, such as `"sector"`: values are then compared within their category.
    transform : {"robust_zscore", "zscore", "rank", "normal_score"}
        How the values of a date are standardised. Ranks run from -0.5 to 0.5; a normal score is the quantile of the
        normal distribution at the rank.
    exposures : dict of str to Factor
        What the score may not depend on, such as `{"size": "log(market_cap)"}`: what exposures, and the means of the
        categories of `neutralize`, explain by least squares is taken from every factor, and from the score. A list of
        columns stands for themselves.
    orthogonalize : {"order", "symmetric"} or None
        Factors are made uncorrelated on each date: each loses what those before it explain, or all change together as
        little as possible (Löwdin). It needs `missing="neutral"`.
    missing : {"reweight", "neutral"}
        Whether the weight of a missing factor goes to the other factors of its symbol, or the factor counts as 0.
    groups : dict of str to float
        Weights of groups of factors; every factor then names its `group`, and its weight counts within the group.
    weighting : {"fixed", "equal"} or Fit
        `"equal"` gives all factors (of a group) the same weight, and a `Fit` gives weights that are fitted on the
        returns that followed; the factors then have none of their own.
    quantiles : int
        Into how many equal parts the scores of a date are cut.
    min_factors : int or None
        The number of factors that a symbol needs to get a score; None means half of them, rounded up.
    description : str

    Raises
    ------
    ModelError
        If the model is invalid; the message starts with the path to the cause.
    LookaheadError
        If a factor looks ahead.

    Examples
    --------
    >>> import factorloom as fl
    >>> model = fl.ScoreModel(
    ...     "stable_momentum",
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
    transform: Transform = "robust_zscore"
    exposures: dict[str, Factor] = {}
    orthogonalize: Orthogonalize | None = None
    missing: Missing = "reweight"
    groups: dict[str, float] = {}
    weighting: Weighting = "fixed"
    quantiles: int = 5

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            factors: Mapping[str, ScoreFactor | Factor | str | pl.Expr],
            winsorize: Winsorize | None = ...,
            neutralize: str | None = None,
            min_factors: int | None = None,
            description: str = "",
            transform: Transform = "robust_zscore",
            exposures: Mapping[str, Factor | str | pl.Expr] | Sequence[str] = ...,
            orthogonalize: Orthogonalize | None = None,
            missing: Missing = "reweight",
            groups: Mapping[str, float] = ...,
            weighting: Weighting = "fixed",
            quantiles: int = 5,
        ) -> None: ...

    def __post_init__(self) -> None:
        check_name("$.name", self.name)
        force_setattr(self, "factors", check_factors(self.factors))
        force_setattr(self, "winsorize", check_winsorize(self.winsorize))
        check_column(self.neutralize, self.factors)
        if self.min_factors is not None:
            check_whole("$.min_factors", self.min_factors, 1, len(self.factors))
        if not isinstance(self.description, str):
            raise ModelError(f"$.description: must be text, got {self.description!r}")
        check_choice("$.transform", self.transform, TRANSFORMS)
        force_setattr(self, "exposures", check_exposures(self.exposures, [*self.factors, self.neutralize]))
        if self.orthogonalize is not None:
            check_choice("$.orthogonalize", self.orthogonalize, ORTHOGONALIZE)
        check_choice("$.missing", self.missing, MISSING)
        if self.orthogonalize and self.missing != "neutral":
            hint = "a missing factor has no share in a rotation: missing='neutral' counts it as 0"
            raise ModelError("$.missing: orthogonalize needs missing factors to be neutral", hint=hint)
        force_setattr(self, "groups", check_groups(self.groups, self.factors))
        force_setattr(self, "weighting", check_weighting(self.weighting, self.factors))
        if self.fit is not None:
            with errors_under("$.weighting"):
                self.fit.check_embargo(self.lookback)
        check_whole("$.quantiles", self.quantiles, 1, MOST_QUANTILES)

    def __hash__(self) -> int:
        return hash((self.name, self.digest))

    def _repr_html_(self) -> str:
        clipped = f"winsorised by {self.winsorize.method} {self.winsorize.limit:g}, " if self.winsorize else ""
        neutral = [*([self.neutralize] if self.neutralize else []), *self.exposures]
        within = f"neutral in {', '.join(neutral)}, " if neutral else ""
        facts = f"{clipped}{within}needs {self.needed} of {plural(len(self.factors), 'factor')}"
        shares = dict.fromkeys(self.factors, "fitted") if self.fit else self._signed
        rows = ((name, shares[name], part.expression) for name, part in self.factors.items())
        return table_html(f"Score model {self.name}", facts, ("factor", "share", "expression"), rows)

    @classmethod
    def from_dict(cls, data: object) -> ScoreModel:
        """A model from plain dicts, such as parsed TOML or JSON.

        >>> import factorloom as fl
        >>> fl.ScoreModel.from_dict({"name": "cheap", "factors": {"price": {"expression": "low", "weigth": 2}}})
        Traceback (most recent call last):
            ...
        factorloom.expressions.errors.ModelError: $.factors.price.weigth: unknown key
          hint: did you mean 'weight'?
        """
        return build(cls, data, "$")

    @classmethod
    def from_toml(cls, source: str | Path) -> ScoreModel:
        """A model from a TOML file, or from TOML text: a string that contains a line break is text.

        Raises
        ------
        ModelError
            If the file does not exist, is not TOML, or is not a model; the message names the file and the line.
        """
        if isinstance(source, str) and "\n" in source:
            return cls.from_dict(read_toml(source))
        path = Path(source)
        data = read_toml(read_text(path), str(path))
        with errors_under(f"{path}: $"):
            return cls.from_dict(data)

    @classmethod
    def from_json(cls, source: bytes | str) -> ScoreModel:
        """A model from JSON text."""
        return cls.from_dict(read_json(source))

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts that `from_dict` reads back, with factors as text."""
        optional = ("description", "neutralize", "min_factors")
        return {
            "name": self.name,
            **{key: getattr(self, key) for key in optional if getattr(self, key)},
            **{key: getattr(self, key) for key in CHOICES if getattr(self, key) != DEFAULTS[key]},
            "winsorize": msgspec.to_builtins(self.winsorize) if self.winsorize else False,
            **({"exposures": {name: str(each) for name, each in self.exposures.items()}} if self.exposures else {}),
            **({"groups": dict(self.groups)} if self.groups else {}),
            **({} if self.weighting == "fixed" else {"weighting": self._weighting}),
            "factors": {
                name: {
                    "expression": str(part.expression),
                    **({"weight": part.weight} if self.weighting == "fixed" else {}),
                    "direction": part.direction,
                    **({"group": part.group} if part.group else {}),
                }
                for name, part in self.factors.items()
            },
        }

    def to_toml(self) -> str:
        """TOML text that `from_toml` reads back."""
        data = self.to_dict()
        factors = {f"factors.{name}": part for name, part in data.pop("factors").items()}
        nested = [key for key, value in data.items() if isinstance(value, dict)]
        tables = {key: data.pop(key) for key in nested} | factors
        parts = [write_toml(data), *(f"[{title}]\n{write_toml(table)}" for title, table in tables.items())]
        return "\n".join(parts)

    @property
    def digest(self) -> str:
        """32 hexadecimal digits, the same in every process. Models with the same digest give the same scores.

        It does not depend on name and description, nor on the order of the factors.
        """
        content: dict[str, object] = {
            "meaning": MEANING,
            "factors": {name: part._content for name, part in self.factors.items()},
            "winsorize": msgspec.to_builtins(self.winsorize),
            "neutralize": self.neutralize,
            "min_factors": self.needed,
        }
        for key in (*CHOICES, "groups"):
            if getattr(self, key) != DEFAULTS[key]:
                content[key] = getattr(self, key)
        if self.weighting != "fixed":
            content["weighting"] = self._weighting
        if self.exposures:
            content["exposures"] = sorted(each.digest for each in self.exposures.values())
        return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()

    @property
    def raw(self) -> dict[str, Factor]:
        """The factors before standardising, by name."""
        return {name: part.expression for name, part in self.factors.items()}

    @property
    def inputs(self) -> dict[str, Factor]:
        """All that is computed on bars: the raw factors and the exposures, by name."""
        return {**self.raw, **self.exposures}

    @property
    def fit(self) -> Fit | None:
        """How weights are fitted; None where they are fixed."""
        return self.weighting if isinstance(self.weighting, Fit) else None

    @property
    def lookback(self) -> int | None:
        """How many bars factors and exposures look back; None where one looks back without end."""
        inputs = self.inputs.values()
        return None if any(each.unbounded for each in inputs) else max(each.lookback for each in inputs)

    @property
    def shares(self) -> dict[str, float]:
        """The weights of the factors, with those of their groups; they sum to 1.

        Raises
        ------
        ModelError
            Weights are fitted, so that each date has others.
        """
        if self.fit is not None:
            raise ModelError(f"the weights of {self.name} are fitted: they differ by date", hint="see fl.fit_weights")
        weights = {name: part.weight for name, part in self.factors.items()}
        if not self.groups:
            return _normalized(weights)
        groups = _normalized(self.groups)
        shares: dict[str, float] = {}
        for group, total in groups.items():
            inside = _normalized({name: weights[name] for name, part in self.factors.items() if part.group == group})
            shares |= {name: total * weight for name, weight in inside.items()}
        return {name: shares[name] for name in weights}

    @property
    def _signed(self) -> dict[str, str]:
        return {name: f"{part.direction * self.shares[name]:+.4g}" for name, part in self.factors.items()}

    @property
    def _weighting(self) -> Any:
        return msgspec.to_builtins(self.weighting, str_keys=True)

    @property
    def needed(self) -> int:
        """The number of factors that a symbol needs to get a score."""
        return self.min_factors or -(-len(self.factors) // 2)


CHOICES = ("transform", "orthogonalize", "missing", "quantiles")
"""The keys that choose a rule, written only where they differ from the default."""
DEFAULTS: dict[str, object] = {
    "transform": "robust_zscore",
    "orthogonalize": None,
    "missing": "reweight",
    "groups": {},
    "quantiles": 5,
}


def _normalized(weights: Mapping[str, float]) -> dict[str, float]:
    """The weights, divided by their sum."""
    largest = max(weights.values())
    scaled = {name: weight / largest for name, weight in weights.items()}
    total = math.fsum(scaled.values())  # the same in every Python: from 3.12 on, sum() rounds in another way
    return {name: weight / total for name, weight in scaled.items()}
