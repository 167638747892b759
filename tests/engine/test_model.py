"""Models from every source are checked by the same rules, and every error starts with a path."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factorloom.engine.research.model import ScoreFactor, ScoreModel, Winsorize
from factorloom.expressions.errors import FactorloomError, LookaheadError, ModelError
from factorloom.expressions.parse import parse

VOLATILITY = "ts_std(returns, 20)"
KEYS = ("symbol", "date")


def factors(**keys: Any) -> dict[str, Any]:
    """A model of one factor, as plain dicts."""
    return {"name": "volatility", "factors": {"volatility": {"expression": VOLATILITY, **keys}}}


def model(**keys: Any) -> dict[str, Any]:
    return {**factors(), **keys}


# --- fields and defaults ------------------------------------------------------------------------------------


def test_the_defaults() -> None:
    created, part = ScoreModel.from_dict(factors()), ScoreFactor(VOLATILITY, 1.0, 1)
    assert created == ScoreModel("volatility", {"volatility": part}, Winsorize("mad", 3.0), None, None, "")
    assert created.raw == {"volatility": parse(VOLATILITY)}


def test_factors_may_be_given_short() -> None:
    short = ScoreModel("volatility", {"a": VOLATILITY, "b": parse(VOLATILITY)})
    assert short.factors == {"a": ScoreFactor(parse(VOLATILITY)), "b": ScoreFactor(VOLATILITY)}


def test_half_of_the_factors_are_needed_by_default() -> None:
    needed = [ScoreModel("m", {f"f{n}": "close" for n in range(count)}).needed for count in range(1, 7)]
    assert needed == [1, 1, 2, 2, 3, 3]
    assert ScoreModel("m", {"a": "close", "b": "open"}, min_factors=2).needed == 2


def test_numpy_numbers_are_accepted() -> None:
    created = ScoreFactor("close", weight=np.float64(2))  # type: ignore[arg-type,unused-ignore]
    assert type(created.weight) is float
    assert ScoreFactor("close", weight=np.int64(2)).weight == 2.0  # type: ignore[arg-type]


def test_a_model_keeps_its_own_factors() -> None:
    given_factors = {"a": ScoreFactor("close")}
    created = ScoreModel("m", given_factors)
    given_factors["b"] = ScoreFactor("open")
    assert list(created.factors) == ["a"]


def test_equality_and_hash() -> None:
    assert ScoreFactor("close") != ScoreFactor("open")
    assert ScoreFactor("close") != "close"
    assert len({ScoreFactor("close"), ScoreFactor(parse("close"))}) == 1
    one, two = ScoreModel.from_dict(factors()), ScoreModel.from_dict(factors(weight=2))
    assert one != two
    assert len({one, two, ScoreModel.from_dict(factors())}) == 2


def test_a_model_can_be_pickled() -> None:
    created = ScoreModel.from_dict(factors(weight=2))
    copy = pickle.loads(pickle.dumps(created))
    assert copy == created
    assert copy.raw["volatility"] is created.raw["volatility"]


# --- the digest ---------------------------------------------------------------------------------------------

BASE = {
    "name": "base",
    "factors": {"a": {"expression": "close", "weight": 1.0}, "b": {"expression": "open"}},
}


@pytest.mark.parametrize(
    "change",
    [
        {"factors": {**BASE["factors"], "a": {"expression": "high"}}},  # type: ignore[dict-item]
        {"factors": {**BASE["factors"], "a": {"expression": "close", "weight": 1.5}}},  # type: ignore[dict-item]
        {"factors": {**BASE["factors"], "a": {"expression": "close", "direction": -1}}},  # type: ignore[dict-item]
        {"factors": {**BASE["factors"], "c": {"expression": "low"}}},  # type: ignore[dict-item]
        {"winsorize": False},
        {"winsorize": {"limit": 2.5}},
        {"winsorize": {"method": "std"}},
        {"neutralize": "sector"},
        {"min_factors": 2},
    ],
)
def test_the_digest_changes_with_what_changes_a_score(change: dict[str, Any]) -> None:
    assert ScoreModel.from_dict({**BASE, **change}).digest != ScoreModel.from_dict(BASE).digest


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"description": "words"},
        {"factors": dict(reversed(BASE["factors"].items()))},  # type: ignore[attr-defined]
        {"min_factors": 1},
        {"winsorize": {"method": "mad"}},
    ],
)
def test_the_digest_ignores_what_does_not_change_a_score(change: dict[str, Any]) -> None:
    assert ScoreModel.from_dict({**BASE, **change}).digest == ScoreModel.from_dict(BASE).digest


def test_the_digest_is_the_same_in_another_process() -> None:
    script = (
        "import sys, json; from factorloom.engine.research.model import ScoreModel;"
        "print(ScoreModel.from_dict(json.loads(sys.argv[1])).digest)"
    )
    command = [sys.executable, "-c", script, json.dumps(BASE)]
    root = Path(__file__).parents[2]
    outputs = {
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert outputs == {ScoreModel.from_dict(BASE).digest}
    assert len(ScoreModel.from_dict(BASE).digest) == 32


# --- round trips --------------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name not in KEYS)
positive = st.floats(1e-3, 1e3)
drawn_factors = st.builds(
    ScoreFactor,
    st.sampled_from([VOLATILITY, "close / open - 1", "col('Größe \"x\"') + 1", "cs_rank(ts_mean(close, 5))"]),
    positive,
    st.sampled_from([-1, 1]),
)


@st.composite
def models(draw: st.DrawFn) -> ScoreModel:
    parts = draw(st.dictionaries(names, drawn_factors, min_size=1, max_size=4))
    winsorize = st.one_of(
        st.none(),
        st.builds(Winsorize, st.sampled_from(["mad", "std"]), positive),
        st.builds(Winsorize, st.just("quantile"), st.floats(0.01, 0.49)),
    )
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    return ScoreModel(
        draw(names),
        parts,
        draw(winsorize),
        draw(st.one_of(st.none(), text.filter(lambda name: name and name not in parts))),
        draw(st.one_of(st.none(), st.integers(1, len(parts)))),
        draw(text),
    )


@given(models())
def test_every_form_reads_back_the_same_model(created: ScoreModel) -> None:
    text = created.to_toml()
    back = [
        ScoreModel.from_dict(created.to_dict()),
        ScoreModel.from_toml(text),
        ScoreModel.from_json(json.dumps(created.to_dict()).encode()),
        ScoreModel.from_json(json.dumps(created.to_dict(), ensure_ascii=False)),
    ]
    assert all(other == created and list(other.factors) == list(created.factors) for other in back)
    assert tomllib.loads(text) == created.to_dict()


# --- errors -------------------------------------------------------------------------------------------------

NAME_RULE = "\n  hint: use lower-case letters, digits and _, starting with a letter"
NUMBER = "must be a finite number greater than 0"

ERRORS: list[tuple[Any, str]] = [
    (model(nmae="x"), "$.nmae: unknown key\n  hint: did you mean 'name'?"),
    (factors(weigth=2), "$.factors.volatility.weigth: unknown key\n  hint: did you mean 'weight'?"),
    (model(winsorize={"metod": "mad"}), "$.winsorize.metod: unknown key\n  hint: did you mean 'method'?"),
    ({"factors": {}}, "$.name: missing key"),
    ({"name": "volatility"}, "$.factors: missing key"),
    (model(factors={"volatility": {}}), "$.factors.volatility.expression: missing key"),
    (model(name="Volatility"), "$.name: invalid name 'Volatility'" + NAME_RULE),
    (model(name=3), "$.name: invalid name 3" + NAME_RULE),
    (model(factors={"a b": {"expression": "close"}}), "$.factors['a b']: invalid name 'a b'" + NAME_RULE),
    (model(factors={"date": "close"}), "$.factors.date: date is a key column and cannot be the name of a factor"),
    (model(factors={}), "$.factors: must name at least one factor, got {}"),
    (model(factors=["close"]), "$.factors: must name at least one factor, got ['close']"),
    (model(factors={"volatility": 3}), "$.factors.volatility: must be a table (a mapping), got 3"),
    (
        model(factors={"a": {"expression": "close", "weight": 1e200}, "b": "open"}),
        "$.factors: the ratio of two weights must be at most 1e+100",
    ),
    (factors(weight=0), f"$.factors.volatility.weight: {NUMBER}, got 0"),
    (factors(weight=-1.5), f"$.factors.volatility.weight: {NUMBER}, got -1.5"),
    (factors(weight=math.nan), f"$.factors.volatility.weight: {NUMBER}, got nan"),
    (factors(weight=math.inf), f"$.factors.volatility.weight: {NUMBER}, got inf"),
    (factors(weight=True), f"$.factors.volatility.weight: {NUMBER}, got True"),
    (factors(weight="2"), f"$.factors.volatility.weight: {NUMBER}, got '2'"),
    (factors(weight=10**400), "$.factors.volatility.weight: too large for Float64"),
    (factors(direction=0), "$.factors.volatility.direction: must be 1 or -1, got 0"),
    (factors(direction=1.0), "$.factors.volatility.direction: must be 1 or -1, got 1.0"),
    (factors(direction=True), "$.factors.volatility.direction: must be 1 or -1, got True"),
    (factors(direction="up"), "$.factors.volatility.direction: must be 1 or -1, got 'up'"),
    (factors(direction=[1]), "$.factors.volatility.direction: must be 1 or -1, got [1]"),
    (factors(expression=3), "$.factors.volatility.expression: must be a factor or its text, got 3"),
    (
        model(winsorize={"method": "qantile"}),
        "$.winsorize.method: must be one of mad, std, quantile, got 'qantile'\n  hint: did you mean 'quantile'?",
    ),
    (model(winsorize={"limit": 0}), f"$.winsorize.limit: {NUMBER}, got 0"),
    (
        model(winsorize={"method": "quantile", "limit": 0.5}),
        "$.winsorize.limit: must be below 0.5 with method 'quantile': it is the fraction clipped at each end,"
        " got 0.5\n  hint: for example 0.01",
    ),
    (model(winsorize=True), "$.winsorize: must be a table (a mapping), got True"),
    (model(neutralize=""), "$.neutralize: must be the name of a column, got ''"),
    (model(neutralize=["sector"]), "$.neutralize: must be the name of a column, got ['sector']"),
    (model(neutralize="volatility"), "$.neutralize: 'volatility' is a factor of the model, not a categorical column"),
    (model(min_factors=0), "$.min_factors: must be a whole number from 1 to 1, got 0"),
    (model(min_factors=2), "$.min_factors: must be a whole number from 1 to 1, got 2"),
    (model(min_factors=1.0), "$.min_factors: must be a whole number from 1 to 1, got 1.0"),
    (model(min_factors=True), "$.min_factors: must be a whole number from 1 to 1, got True"),
    (model(description=3), "$.description: must be text, got 3"),
    ([], "$: must be a table (a mapping), got []"),
]


@pytest.mark.parametrize(("data", "message"), ERRORS, ids=[message[:40] for _, message in ERRORS])
def test_every_error_starts_with_a_path(data: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        ScoreModel.from_dict(data)
    assert str(caught.value) == message


VALID_KEYS = [
    (data, message) for data, message in ERRORS if {"name", "factors"} <= set(data) <= set(ScoreModel.__struct_fields__)
]


@pytest.mark.parametrize(("data", "message"), VALID_KEYS, ids=[message[:40] for _, message in VALID_KEYS])
def test_arguments_follow_the_same_rules(data: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        ScoreModel(**data)
    assert str(caught.value) == message


def test_factors_and_winsorizing_are_checked_on_their_own() -> None:
    with pytest.raises(ModelError, match=r"^\$\.weight: must be a finite number greater than 0, got -1"):
        ScoreFactor("close", weight=-1)
    with pytest.raises(ModelError, match=r"^\$\.limit: must be below 0.5"):
        Winsorize("quantile")


def test_an_expression_that_does_not_parse_is_shown_with_a_caret() -> None:
    with pytest.raises(ModelError) as caught:
        ScoreModel.from_dict(factors(expression="ts_mean(close, 0) + 1"))
    assert str(caught.value).splitlines() == [
        "$.factors.volatility.expression: window must be at least 1, got 0",
        "  in ts_mean(close, 0) + 1",
        "                    ^",
    ]
    with pytest.raises(ModelError, match="did you mean 'ts_mean'"):
        ScoreFactor("ts_maen(close, 20)")


def test_a_factor_that_looks_ahead_is_rejected() -> None:
    with pytest.raises(LookaheadError) as caught:
        ScoreModel.from_dict(factors(expression="ts_lead(close, 5) / close - 1"))
    assert str(caught.value).splitlines() == [
        "$.factors.volatility.expression: ts_lead looks ahead in ts_lead(close, 5) / close - 1",
        "  hint: a score may use only the past; look-ahead is for labels",
    ]


# --- files and text -----------------------------------------------------------------------------------------


def test_a_file_is_read_by_path_or_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "volatility.toml"
    path.write_text(ScoreModel.from_dict(factors()).to_toml(), encoding="utf-8")
    assert ScoreModel.from_toml(path) == ScoreModel.from_toml(str(path)) == ScoreModel.from_dict(factors())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name = 'volatility'\nfactors = \n",
            "not TOML: Invalid value (at line 2, column 11)\n  in factors = \n               ^",
        ),
        ("name = 'a'\nname = 'b'\n", "not TOML: Cannot overwrite a value (at line 2, column 11)"),
        ("name = 'volatility'\n[factors.volatility]\nweight = 2\n", "$.factors.volatility.expression: missing key"),
        ("name = 'volatility'\n[factors.a]\nexpression = 'x +'\n", "$.factors.a.expression: not a factor: "),
    ],
)
def test_errors_in_a_file_name_the_file(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "volatility.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        ScoreModel.from_toml(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    with pytest.raises(ModelError) as caught:
        ScoreModel.from_toml(text)
    assert str(caught.value).removeprefix("$: ").startswith(message)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "balanced.toml").write_text("", encoding="utf-8")
    with pytest.raises(ModelError, match=r"balancd\.toml: No such file or directory\n  hint: did you mean"):
        ScoreModel.from_toml(tmp_path / "balancd.toml")
    with pytest.raises(ModelError, match="nowhere"):
        ScoreModel.from_toml(tmp_path / "nowhere" / "model.toml")
    with pytest.raises(ModelError, match="Is a directory"):
        ScoreModel.from_toml(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(ModelError, match=r"latin\.toml: not TOML: 'utf-8' codec"):
        ScoreModel.from_toml(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "$: not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b'{"name": "a"', "$: not JSON: Expecting ',' delimiter"),
        (b'{"name": "a", "name": "b"}', "$: not JSON: duplicate key 'name'"),
        (b"\xff\xfe", "$: not JSON: 'utf-8' codec can't decode"),
        (b"[" * 100_000, "$: nested too deep"),
        (b'{"name": ' + b"9" * 5_000 + b"}", "$: not JSON: Exceeds the limit"),
        (b"null", "$: must be a table (a mapping), got None"),
        (b"[" * 300 + b"]" * 300, "$: must be a table (a mapping), got [[[...]]]"),
    ],
)
def test_text_that_is_not_json(text: bytes, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        ScoreModel.from_json(text)
    assert str(caught.value).startswith(message)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(ScoreModel.__struct_fields__), json_values), json_values)
def test_any_data_gives_a_model_or_a_factorloom_error(data: dict[str, Any], part: Any) -> None:
    for candidate in (data, model(**data), factors(weight=part), model(factors={"a": part})):
        assert error_or_digest(candidate).startswith("$")


def error_or_digest(data: Any) -> str:
    """The error message of a model, or `$` and its digest if it is valid."""
    try:
        return "$" + ScoreModel.from_dict(data).digest
    except FactorloomError as error:
        return error.message
