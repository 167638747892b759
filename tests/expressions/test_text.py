"""Text to factors and back; hostile text is refused at once, with a caret at the fault."""

from __future__ import annotations

import pickle
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import factorloom as fl
from factorloom.engine.testing.strategies import factors
from factorloom.expressions.errors import (
    ArgumentError,
    FactorloomError,
    ParameterError,
    ParseError,
    UnknownOperatorError,
    WindowError,
)
from factorloom.expressions.factor import Factor


@given(factors(max_leaves=12))
def test_text_parses_back_to_the_same_node(factor: Factor) -> None:
    assert fl.parse(str(factor)) is factor


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
    | st.sampled_from(["class", "returns", "missing", "52wh", "abs"])
)
def test_any_column_name_survives_text(name: str) -> None:
    assert fl.parse(str(fl.col(name) + 1)) is fl.col(name) + 1


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("-close ** 2", -(fl.close**2)),
        ("(-close) ** 2", (-fl.close) ** 2),
        ("2 ** -close", 2**-fl.close),
        ("1 - (2 - close)", 1 - (2 - fl.close)),
        ("a - b - c", fl.col("a") - fl.col("b") - fl.col("c")),
        ("a / (b * c)", fl.col("a") / (fl.col("b") * fl.col("c"))),
        ("(a < b) & ~(b < c) | a == 1", None),
        (
            "((a < b) & (b < c)) | (c == 1)",
            ((fl.col("a") < fl.col("b")) & (fl.col("b") < fl.col("c"))) | (fl.col("c") == 1),
        ),
        ("ts_mean(close, 20, min_samples=5)", fl.ts_mean(fl.close, 20, min_samples=5)),
        ("ts_mean(close, min_samples=20, window=20)", fl.ts_mean(fl.close, 20)),
        ("group_rank(close, sector)", fl.group_rank(fl.close, "sector")),
        ("group_rank(close, 'GICS Sector')", fl.group_rank(fl.close, "GICS Sector")),
        ("where(close > 1, missing, - -3)", fl.where(fl.close > 1, fl.missing, 3)),
        ("  close\n  + open ", fl.close + fl.open_),
        ("returns", fl.ts_pct_change(fl.close, 1)),
        ("+close", fl.close),
    ],
)
def test_grammar(text: str, same: Factor | None) -> None:
    parsed = fl.parse(text)
    assert fl.parse(str(parsed)) is parsed
    assert same is None or parsed is same


FAULTS = [
    ("clsoe +", ParseError, 7),
    ("foo(close)", UnknownOperatorError, 0),
    ("1 + ts_maen(close, 2)", UnknownOperatorError, 4),
    ("ts_mean(close, 0)", WindowError, 15),
    ("ts_mean(close, -3)", WindowError, 15),
    ("abs(ts_std(close, 1))", WindowError, 18),
    ("ts_mean(close, 5, min_samples=6)", WindowError, 30),
    ("ts_mean(close, 2.5)", ArgumentError, 15),
    ("ts_mean(close, '5')", ArgumentError, 15),
    ("ts_mean(close, 2 + 3)", ParseError, 15),
    ("ts_mean(close, 99999)", WindowError, 15),
    ("ts_mean(close)", ArgumentError, 0),
    ("ts_mean(close, 5, 6, 7)", ArgumentError, 0),
    ("ts_mean(close, 5, size=3)", ArgumentError, 0),
    ("ts_mean('close', 5)", ArgumentError, 8),
    ("group_rank(close, close + 1)", ArgumentError, 18),
    ("cs_winsorize(close, method='mda')", ParameterError, 27),
    ("cs_winsorize(close, method='quantile')", ParameterError, 27),
    ("clip(close, 2, 1)", ParameterError, 15),
    ("close < open < 3", ParseError, 0),
    ("close and open", ParseError, 0),
    ("not close", ParseError, 0),
    ("close if open else 3", ParseError, 0),
    ("close.real", ParseError, 0),
    ("close[0]", ParseError, 0),
    ("lambda: close", ParseError, 0),
    ("__import__('os').system('true')", ParseError, 0),
    ("[close]", ParseError, 0),
    ("f'{close}'", ParseError, 0),
    ("ts_mean(*close)", ParseError, 8),
    ("ts_mean(**close)", ParseError, 10),
    ("'close'", ParseError, 0),
    ("True", ParseError, 0),
    ("1e999", ParameterError, 0),
    ("1j", ParseError, 0),
    ("close # note", ParseError, 6),
    ("close; open", ParseError, 5),
    ("close = 3", ParseError, 6),
    ("é + foo(1)", UnknownOperatorError, 4),
    ("close // 2", ParseError, 0),
    ("col(close)", ParseError, 4),
    ("", ParseError, 0),
]


@pytest.mark.parametrize(("text", "kind", "position"), FAULTS)
def test_faults_carry_their_place(text: str, kind: type[FactorloomError], position: int) -> None:
    with pytest.raises(kind) as caught:
        fl.parse(text)
    assert caught.value.position == position
    assert str(caught.value).splitlines()[2] == " " * (5 + position) + "^"


def test_a_null_character_is_refused() -> None:
    with pytest.raises(ParseError):
        fl.parse("close\0")


NESTED = 10_000


@pytest.mark.parametrize(
    "text",
    [
        "(" * NESTED + "close" + ")" * NESTED,
        "abs(" * NESTED + "close" + ")" * NESTED,
        "-" * NESTED + "close",
        "~" * NESTED + "close",
        "close" + "**close" * NESTED,
        "close" + " + close" * NESTED,
        "close" + " < close" * NESTED,
        "[" * NESTED,
        "f(" * NESTED,
        "not " * NESTED + "close",
        "close if " * NESTED + "close",
        "lambda:" * NESTED + "close",
        "'" * NESTED,
        "9" * NESTED,
        "1e" + "9" * NESTED,
        "close" + ".a" * NESTED,
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.parametrize("max_length", [20_000, 200_000])
def test_ten_thousand_levels_are_refused(text: str, max_length: int) -> None:
    with pytest.raises((ParseError, ParameterError)):
        fl.parse(text, max_length=max_length)


def test_large_text_is_refused() -> None:
    with pytest.raises(ParseError, match="too large"):
        fl.parse("max(" * 9 + "close" + "".join(f", {'+'.join('abcdefgh' * 8)})" for _ in range(9)), max_nodes=100)
    assert fl.parse("+".join("abcdefgh" * 20), max_depth=1000).depth == 160


@given(st.text(st.sampled_from("close()+-*/<>=&|~.,'[]{}0123456789e_ \n#\\\"éts_mean"), max_size=60))
def test_arbitrary_text_never_raises_anything_else(text: str) -> None:
    try:
        factor = fl.parse(text)
    except FactorloomError as error:
        assert str(error)
    else:
        assert fl.parse(str(factor)) is factor


def test_deep_factors_made_in_python_print_and_hash() -> None:
    deep = fl.close
    for _ in range(NESTED):
        deep = fl.abs(deep)
    assert str(deep).count("abs(") == NESTED
    assert deep.depth == NESTED + 1
    assert sum(1 for _ in deep.walk()) == NESTED + 1
    assert sys.getrecursionlimit() < NESTED


def test_a_factor_that_shares_its_parts_over_and_over_has_no_text_but_runs() -> None:
    shared = fl.close
    for _ in range(200):
        shared = shared / 2 + shared / 2
    assert shared.size > 2**200
    assert len(repr(shared)) < 200
    with pytest.raises(ParameterError, match="more than 100,000"):
        str(shared)
    with pytest.raises(WindowError, match=r"in ts_mean\(…, 0\)"):
        fl.ts_mean(shared, 0)
    panel = fl.example()
    assert panel.compute(same=shared)["same"].to_list() == panel.frame["close"].to_list()
    assert panel.explain(same=shared).startswith("1 factor, 400 operations")


def test_python_calls_show_the_argument_at_fault() -> None:
    with pytest.raises(WindowError) as caught:
        fl.ts_std(fl.cs_rank(fl.close), 1)
    assert str(caught.value) == (
        "window must be at least 2, got 1\n"
        "  in ts_std(cs_rank(close), 1)\n"
        "                            ^\n"
        "  hint: the spread of one value is undefined"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty"),
        ("close if open > 1 else 2", r"`if … else` is not part of the language.*write where\(condition, x, y\)"),
        ("close ^ 2", r"\^ is not part of the language.*for a power write \*\*"),
        ("close // 2", r"// is not part of the language.*write floor\(x / y\)"),
        ("close[1]", r"write ts_delay\(x, 1\)"),
        ("close > 1 && open > 1", r"&& is not part of the language.*write \(…\) & \(…\)"),
        ("close > 1 || open > 1", r"\|\| is not part of the language"),
        ("close > 1 ? 2 : 3", r"write where\(condition, x, y\)"),
        (
            "rank(close)",
            r"unknown operator 'rank'.*write cs_rank \(across symbols\) or ts_rank \(along time\) or group_rank",
        ),
        ("TS_MEAN(close, 5)", "did you mean 'ts_mean'"),
    ],
)
def test_what_other_languages_write_gets_a_hint(text: str, message: str) -> None:
    with pytest.raises(FactorloomError, match=f"(?s){message}"):
        fl.parse(text)


@pytest.mark.parametrize("terms", [129, 450])
def test_long_sums_survive_text_and_pickle(terms: int) -> None:
    total = sum((fl.ts_delay(fl.close, n) for n in range(1, terms)), fl.close)
    assert fl.parse(str(total), max_nodes=10_000) is total
    assert pickle.loads(pickle.dumps(total)) is total
    with pytest.raises(ParseError, match="too large: more than 100 operators"):
        fl.parse(str(total), max_nodes=100)
    with pytest.raises(ParseError, match="nested too deep"):
        fl.parse("1 + (" * 101 + "close" + ")" * 101)
