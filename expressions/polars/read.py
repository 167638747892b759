"""Read an expression of Polars as a factor, from its structure alone.

A function along time acts on the bars of a symbol, wherever it stands. A function across symbols acts on the symbols
that the `.over()` around it says: `.over(date)`, or `.over([date, category])`. So a window inside another means what it
says, and becomes a stage of its own. What is not known is left to Polars, if the caller says which bars it sees.
"""

from __future__ import annotations

import functools
import operator
import uuid
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import polars as pl

from factorloom.expressions.column import missing
from factorloom.expressions.errors import ArgumentError, FactorloomError
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import col, lit
from factorloom.expressions.operators import (
    fill,
    is_missing,
    polars_cell,
    polars_history,
    polars_time,
    ts_argmax,
    ts_argmin,
    ts_delay,
)
from factorloom.expressions.operators.polars import TRUSTED
from factorloom.expressions.polars import cell
from factorloom.expressions.polars.call import Call
from factorloom.expressions.polars.hint import AHEAD, HINTS, nearest
from factorloom.expressions.polars.marker import MARK, restored
from factorloom.expressions.polars.option import CALLS
from factorloom.expressions.polars.scope import BARE, Scope, scope_of
from factorloom.expressions.polars.section import SECTION, Section, filtered, without_fill
from factorloom.expressions.polars.time import TIME
from factorloom.expressions.polars.tree import SPACES, Tree, Unread, holds_python, locate, name_of, tree_of, values_of
from factorloom.expressions.registry import READERS

__all__ = ["from_polars", "named_from_polars"]

OpaqueAxis: TypeAlias = Literal["cell", "time", "cross"]

PROCESS = uuid.uuid4().hex
"""Stands in the digest of what runs Python functions, whose code other processes may have changed."""


def from_polars(
    expression: pl.Expr,
    *,
    symbol: str = "symbol",
    date: str = "date",
    axis: OpaqueAxis | None = None,
    lookback: int | None = None,
) -> Factor:
    """The factor that an expression of Polars means.

    It is read from the structure of the expression, which is not run. Functions along time (`shift`, `rolling_mean`,
    `ewm_mean`, `cum_sum`, ...) act on the bars of a symbol, with or without `.over(symbol)`; functions across symbols
    (`rank`, `mean`, `std`, ...) need `.over(date)`, or `.over([date, category])`. Windows may be nested. The page "From
    Polars" has the table of functions, and where values differ.

    Parameters
    ----------
    expression
        One column of numbers or booleans.
    symbol, date
        What the expression calls the key columns.
    axis, lookback
        What functions that are not known look at, for Polars to run them: `"cell"` (values of the bar), `"time"` (the
        last `lookback` bars of the symbol before the current one, or all so far without it) or `"cross"` (the symbols
        of the date).

    Raises
    ------
    ExpressionError
        Where a part of the expression is not known, looks ahead, or is not a column of numbers.

    Examples
    --------
    >>> import polars as pl, factorloom as fl
    >>> print(fl.from_polars(pl.col("close").pct_change(20).rank().over("date")))
    cs_rank(ts_pct_change(close, 20), method='ordinal')
    >>> print(fl.from_polars(pl.col("close").rank().over("date").rolling_mean(2).over("symbol")))
    ts_mean(cs_rank(close, method='ordinal'), 2)
    """
    return named_from_polars(expression, symbol=symbol, date=date, axis=axis, lookback=lookback)[1]


def named_from_polars(
    expression: pl.Expr,
    *,
    symbol: str = "symbol",
    date: str = "date",
    axis: OpaqueAxis | None = None,
    lookback: int | None = None,
) -> tuple[str | None, Factor]:
    """The alias of an expression, if it has one, and its factor."""
    if not isinstance(expression, pl.Expr):
        raise ArgumentError(f"from_polars takes an expression of Polars, got {type(expression).__name__}")
    if axis not in (None, "cell", "time", "cross"):
        raise ArgumentError(f"axis must be 'cell', 'time' or 'cross', got {axis!r}")
    tree = tree_of(expression)
    name = tree["Alias"][1] if isinstance(tree, dict) and "Alias" in tree else None
    reader = _Reader(symbol, date, axis, lookback)
    try:
        return name, reader.read(tree, BARE)
    except Unread as fault:
        raise locate(fault, expression) from None
    except RecursionError:
        raise locate(Unread("the expression is nested too deep to be read", tree, None), expression) from None


VERSION = "use a version of Polars that pyproject.toml names, or write this part with operators of Factorloom"


class _Reader:
    def __init__(self, symbol: str, date: str, axis: OpaqueAxis | None, lookback: int | None) -> None:
        self._symbol, self._date, self._axis, self._lookback = symbol, date, axis, lookback
        self._has_sections = False
        self._kinds: dict[str, Callable[[Any, Tree, Scope], Factor]] = {
            "Column": self._column,
            "Literal": self._literal,
            "Alias": lambda content, tree, scope: self.read(content[0], scope),
            "RenameAlias": lambda content, tree, scope: self.read(content["expr"], scope),
            "KeepName": lambda content, tree, scope: self.read(content, scope),
            "BinaryExpr": self._binary,
            "Ternary": self._ternary,
            "Cast": self._cast,
            "Function": self._function,
            "AnonymousFunction": self._unknown,
            "Agg": self._reduction,
            "Over": self._over,
            "Len": lambda content, tree, scope: self._across("len", tree, None, [], scope),
        }

    def read(self, tree: Tree, scope: Scope) -> Factor:
        """The factor of a part of the expression."""
        kind, content = (tree, None) if isinstance(tree, str) else next(iter(tree.items()))
        handler = self._kinds.get(kind)
        if handler is None:
            raise Unread(f"{name_of(kind)} is not known here", tree, HINTS.get(kind))
        try:
            return handler(content, tree, scope)
        except Unread:
            raise
        except FactorloomError as error:
            raise Unread(error.message, tree, error.hint) from None
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise Unread(
                f"Polars {pl.__version__} writes {name_of(kind)} in a form that is not known here", tree, VERSION
            ) from None

    def _column(self, name: str, tree: Tree, scope: Scope) -> Factor:
        if name in (self._symbol, self._date):
            raise Unread(f"{name!r} is a key, not a number", tree, "keys stand in .over(...) only")
        if name.startswith(MARK):
            raise Unread(f"{name} stands without its inputs", tree)
        return _column(name)

    def _literal(self, content: Any, tree: Tree, scope: Scope) -> Factor:
        ((kind, value),) = content.items()
        if kind in ("Dyn", "Scalar"):
            ((kind, value),) = value.items()
        if kind == "Null":
            return missing
        if kind == "Float" and value is None:
            raise Unread("an infinite constant, or NaN, is not a number", tree, "the missing value is pl.lit(None)")
        if kind.startswith(("Float", "Int", "UInt", "Boolean")):
            return _constant(float(value))
        raise Unread(
            f"a constant of type {kind} is not a number",
            tree,
            "text may only be grouped by, as in .over(['date', 'sector'])" if kind in ("Str", "String") else None,
        )

    def _binary(self, content: Any, tree: Tree, scope: Scope) -> Factor:
        op = content["op"]
        left, right = self.read(content["left"], scope), self.read(content["right"], scope)
        if op in cell.BINARY:
            return self._lean(cell.BINARY[op](left, right))
        if op not in cell.LOGICAL:
            raise Unread(f"the operator {op} is not known", tree)
        if not (cell.is_boolean(left) and cell.is_boolean(right)):
            raise Unread("& | ^ of numbers work on bits", tree, "compare first: (x != 0) & (y != 0)")
        return cell.LOGICAL[op](left, right)

    def _lean(self, factor: Factor) -> Factor:
        return without_fill(factor) if self._has_sections else factor

    def _ternary(self, content: Any, tree: Tree, scope: Scope) -> Factor:
        parts = (self.read(content[name], scope) for name in ("predicate", "truthy", "falsy"))
        return cell.choose(*parts)

    def _cast(self, content: Any, tree: Tree, scope: Scope) -> Factor:
        x, dtype = self.read(content["expr"], scope), content["dtype"]
        word = dtype.get("Literal") if isinstance(dtype, dict) else dtype
        if word == "Float32":
            call = Call("cast", tree, None, [x], [content["expr"]])
            return polars_cell(x, expression=call.as_text())
        made = cell.cast(x, word) if isinstance(word, str) else None
        if made is None:
            raise Unread(f"a cast to {word} gives no number", tree)
        return made

    def _over(self, content: Any, tree: Tree, scope: Scope) -> Factor:
        by = [part["Column"] for part in content["partition_by"] if isinstance(part, dict) and "Column" in part]
        if len(by) < len(content["partition_by"]):
            raise Unread(".over() takes names of columns", tree)
        if content["mapping"] != "GroupsToRows":
            raise Unread(".over(mapping_strategy=...) changes the number of rows", tree)
        order = content["order_by"]
        if order is not None and (order[0] != {"Column": self._date} or order[1]["descending"]):
            raise Unread(f"bars are in the order of {self._date!r} already: leave out order_by", tree)
        inner = scope_of(by, self._symbol, self._date, tree)
        factor = self.read(content["function"], inner)
        if inner.section is not None and not inner.used:
            raise Unread(
                f"nothing inside .over({inner.over}) goes across symbols",
                tree,
                f"functions along time need no .over(), or .over({self._symbol!r})",
            )
        return factor

    def _function(self, content: Any, tree: Tree, scope: Scope) -> Factor:
        kind, trees = content["function"], content["input"]
        name, options = name_of(kind), _options(kind)
        if kind == "AsStruct" and trees and trees[0].get("Column", "").startswith(MARK):
            return restored(trees[0]["Column"], [self.read(each, scope) for each in trees[1:]])
        if kind == {"Boolean": "Not"}:
            x = self.read(trees[0], scope)
            if not cell.is_boolean(x):
                raise Unread("~ of numbers works on bits", tree, "compare first: ~(x != 0)")
            return ~x
        if name in ("replace_strict", "replace", "is_in"):
            return self._lookup(name, options, trees, tree, scope)
        special = CALLS.get(name)
        if name in ("list.arg_max", "list.arg_min"):
            return self._place(name, trees[0], tree, scope)
        if special is None and name not in cell.PLAIN and name not in TIME and name not in SECTION:
            return self._unknown(content, tree, scope)
        if name in SECTION:
            return self._across(name, tree, options, trees, scope)
        call = Call(name, tree, options, [self.read(each, scope) for each in trees], trees)
        if special is not None:
            return special(call)
        if name in TIME:
            return TIME[name](call)
        return self._lean(cell.PLAIN[name](*call.inputs))

    def _place(self, name: str, inner: Tree, tree: Tree, scope: Scope) -> Factor:
        """`pl.concat_list(...).list.arg_max()`: which of several values is the largest, counted from 0."""
        joined = inner.get("Function", {}) if isinstance(inner, dict) else {}
        if joined.get("function") != {"ListExpr": "Concat"}:
            raise Unread("lists are known as pl.concat_list(...) only", tree)
        trees = joined["input"]
        call = Call(name, tree, None, [self.read(each, scope) for each in trees], trees)
        if len(trees) > 1 and all(x is ts_delay(call.x, bars) for bars, x in enumerate(call.inputs) if bars):
            extreme = ts_argmax if name == "list.arg_max" else ts_argmin
            return extreme(call.x, len(trees), ties="newest", min_samples=1)
        return polars_cell(*call.inputs, expression=call.as_text())

    def _reduction(self, content: Any, tree: Tree, scope: Scope) -> Factor:
        """A reduction: `{"Mean": x}`, `{"Std": [x, ddof]}` or `{"Min": {"input": x, ...}}`."""
        ((kind, inner),) = content.items()
        options: Any = None
        if isinstance(inner, list):
            inner, options = inner
        elif isinstance(inner, dict) and "input" in inner and inner.keys() != {"input", "function"}:
            inner, options = inner["input"], inner.get("include_nulls")
        name = "len" if kind == "Count" and options else name_of(kind)
        if name not in SECTION:
            return self._unknown({"input": [inner]}, tree, scope)
        return self._across(name, tree, options, [inner], scope)

    def _across(self, name: str, tree: Tree, options: Any, trees: list[Tree], scope: Scope) -> Factor:
        """A function across symbols."""
        if scope.section is None:
            place = f"within .over({scope.over})" if scope.over else "without .over()"
            raise Unread(
                f"{name} {place} takes all bars of a symbol together, and so looks ahead",
                tree,
                f"write .over({self._date!r}) to go across symbols, rolling_… or cum_… to go along time",
            )
        scope.used = self._has_sections = True
        inputs = [self._reduced(each, name, scope) for each in trees]
        return SECTION[name](Call(name, tree, options, inputs, trees), scope.section)

    def _reduced(self, tree: Tree, name: str, scope: Scope) -> Factor:
        """What a function across symbols takes: values, or those of them that a filter keeps."""
        if not (isinstance(tree, dict) and "Filter" in tree):
            return self.read(tree, scope)
        if name in ("len", "null_count", "rank"):
            raise Unread(f"{name} of a filter depends on rows that are left out", tree)
        kept = tree["Filter"]
        return filtered(self._reduced(kept["input"], name, scope), self.read(kept["by"], scope))

    def _lookup(self, name: str, options: Any, trees: list[Tree], tree: Tree, scope: Scope) -> Factor:
        """Values compared with a list of constants."""
        x, keys = self.read(trees[0], scope), _constants(trees[1])
        if name == "is_in":
            known = [key for key in keys if key is not missing]
            found = functools.reduce(operator.or_, [x == key for key in known] or [x != x])
            return fill(found, float(len(known) < len(keys))) if options and options.get("nulls_equal") else found
        values = _constants(trees[2])
        values = values * len(keys) if len(values) == 1 else values
        made = x if name == "replace" else self.read(trees[3], scope) if len(trees) > 3 else missing
        for key, value in zip(reversed(keys), reversed(values), strict=True):
            made = cell.choose(is_missing(x) if key is missing else x == key, value, made)
        return made

    def _unknown(self, content: Any, tree: Tree, scope: Scope) -> Factor:
        """What only Polars knows, if the caller says which bars it sees."""
        is_python = "AnonymousFunction" in tree or holds_python(_kind(tree))
        name = "a Python function" if is_python else name_of(_kind(tree))
        if name == "as_struct":
            raise Unread("a struct has several columns", tree, HINTS["Selector"])
        if self._axis is None:
            hint = "say what it sees, and Polars runs it: fl.from_polars(expression, axis='time', lookback=20)"
            near = nearest(name)
            looks = "takes all bars of a symbol together, and so looks ahead" if name in AHEAD else "is not known here"
            raise Unread(f"{name} {looks}", tree, f"{near}; or {hint}" if near else hint)
        trees = [each for each in content["input"] if not (isinstance(each, dict) and "Literal" in each)]
        call = Call(name, tree, None, [self.read(each, scope) for each in trees], trees)
        text = call.as_text()
        if is_python:
            text = f'{{"process":"{PROCESS}","run":{text}}}'
            TRUSTED.add(text)
        if self._axis == "cell":
            return polars_cell(*call.inputs, expression=text)
        if self._axis == "cross":
            scope.used = True
            return (scope.section or Section(None)).run(call.inputs, text)
        if self._lookback is None:
            return polars_history(*call.inputs, expression=text)
        return polars_time(*call.inputs, expression=text, lookback=self._lookback)


READERS[pl.Expr] = from_polars
_column = functools.lru_cache(1024)(col)
_constant = functools.lru_cache(1024)(lit)


def _options(kind: Any) -> Any:
    """What stands beside the name of a function."""
    if isinstance(kind, str):
        return None
    ((outer, inner),) = kind.items()
    return _options(inner) if outer in SPACES else inner


def _kind(tree: Tree) -> Any:
    """The kind of a function or a reduction."""
    ((outer, content),) = tree.items()
    return content["function"] if outer == "Function" else next(iter(content))


def _constants(tree: Tree) -> list[Factor]:
    """The numbers of a literal that is a list."""
    values = values_of(tree).to_list() if isinstance(tree, dict) and "Literal" in tree else None
    if values is None or not all(value is None or isinstance(value, float | int) for value in values):
        raise Unread("only lists of numbers that are written out can be compared with", tree)
    return [missing if value is None else lit(float(value)) for value in values]
