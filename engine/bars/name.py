"""Which column of a table is which: keys and standard columns by their usual names, and what the caller renames."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

import polars as pl

from factorloom.engine.bars.layout import KEYS
from factorloom.engine.bars.source import FILE_NAME, SourceTable
from factorloom.expressions.errors import ArgumentError, BarsError, ParameterError, UnknownColumnError, plural, suggest

__all__ = [
    "STANDARD_COLUMNS",
    "check_drop",
    "check_names",
    "find_column",
    "find_key",
    "name_columns",
    "snake_case",
]

STANDARD_COLUMNS = ("open", "high", "low", "close", "volume", "vwap", "amount")

SYNONYMS = {
    "symbol": ("ticker", "code", "ts_code", "instrument", "security", "asset", "sym"),
    "date": ("datetime", "timestamp", "time", "trade_date", "trading_date", "day"),
    "open": ("open_price",),
    "high": ("high_price",),
    "low": ("low_price",),
    "close": ("close_price",),
    "volume": ("vol",),
}
"""Other usual names, in snake case. An adjusted close is another column, not another name of the close."""

UNNAMED = re.compile(r"|Unnamed: \d+|__index_level_\d+__|level_\d+")
"""Names of an index that nobody named: in CSV files, of pandas, and in Parquet files."""

RENAME = "columns={'new name': 'old name'}"


def name_columns(
    table: SourceTable,
    *,
    symbol: str,
    date: str,
    one_symbol: str | None,
    columns: Mapping[str, str],
    drop: Collection[str],
    stored: Collection[str] = (),
) -> tuple[pl.DataFrame, list[str]]:
    """The table with its keys and columns named, without those of no use, and notes on what was changed.

    Parameters
    ----------
    symbol, date
        The key columns of the table; case, punctuation and the usual synonyms do not matter.
    one_symbol
        The symbol of all rows, where there is no column of symbols; `{name}` in it stands for the name of the file.
    columns
        Names in the table by new names.
    drop
        Columns to leave out.
    stored
        Columns that the panel or the dataset has: they are matched without regard to case.
    """
    frame, notes = table.frame.drop([find_column(table.frame, name, table.name) for name in drop]), []
    origin: dict[str, str] = {new: find_column(frame, old, table.name) for new, old in columns.items()}
    for key, given in zip(KEYS, (symbol, date), strict=True):
        if key not in origin and not (key == "symbol" and one_symbol is not None):
            origin[key] = find_key(frame, key, given, table.name)
    if one_symbol is not None:
        frame = frame.with_columns(_constant(one_symbol, frame).alias("\0symbol"))
        origin["symbol"] = "\0symbol"
    if origin["symbol"] == origin["date"]:
        raise ArgumentError(f"symbol and date must be two columns, got {origin['symbol']!r} for both")
    frame = frame.drop(FILE_NAME, strict=False)
    for name in dict.fromkeys([*stored, *STANDARD_COLUMNS]):
        if name not in origin and (found := _match(frame, name, set(origin.values()))) is not None:
            origin[name] = found
    unnamed = [name for name in frame.columns if UNNAMED.fullmatch(name) and name not in origin.values()]
    if unnamed:
        frame = frame.drop(unnamed)
        notes.append(f"{plural(len(unnamed), 'column')} without a name left out")
    frame, dropped = _rename(frame, origin)
    check_names(frame.columns)
    usual = [
        f"{old!r} as {new}"
        for new, old in origin.items()
        if old != new and old[:1] != "\0" and new not in columns and old not in (symbol, date)
    ]
    if usual:
        notes.append(f"columns known by other names: {', '.join(usual)}")
    notes += [f"column {name!r} left out: another column was renamed to it" for name in dropped]
    return frame, notes


def snake_case(name: str) -> str:
    """The snake case form of a column name, by which standard names are recognised.

    >>> snake_case(" GICS Sub-Industry")
    'gics_sub_industry'
    """
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "_".join(words).lower()


def find_column(frame: pl.DataFrame, name: str, source: str) -> str:
    """The column of a table called `name`; case and punctuation may differ."""
    if not isinstance(name, str):
        raise ArgumentError(f"the name of a column must be text, got {name!r}")
    if name in frame.columns:
        return name
    same = [column for column in frame.columns if snake_case(column) == snake_case(name) != ""]
    if len(same) == 1:
        return same[0]
    known = [column for column in frame.columns if column != FILE_NAME]
    raise UnknownColumnError(f"{source} has no column {name!r}", hint=suggest(name, known))


def check_drop(drop: object) -> Collection[str]:
    """Refuse what is no list of columns."""
    if isinstance(drop, str) or not isinstance(drop, Collection):
        raise ArgumentError(f"drop must be a list of columns, got {drop!r}")
    return drop


def check_names(names: Iterable[str]) -> None:
    """Refuse empty and unprintable names, and names that differ only in case, which SQL does not tell apart."""
    seen: dict[str, str] = {}
    for name in names:
        if not name or not name.isprintable():
            raise BarsError(f"{name!r} is not a valid column name", hint=f"rename it with {RENAME}")
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            raise BarsError(f"columns {other!r} and {name!r} differ only in case", hint=f"rename one with {RENAME}")


def _constant(one_symbol: str, frame: pl.DataFrame) -> pl.Expr:
    if "{name}" not in one_symbol:
        return pl.lit(one_symbol)
    if FILE_NAME not in frame.columns:
        raise ParameterError("one_symbol names the file, and the bars come from none", hint="give the symbol itself")
    first, *others = map(pl.lit, one_symbol.split("{name}"))
    return pl.concat_str(first, *(part for other in others for part in (pl.col(FILE_NAME), other)))


def find_key(frame: pl.DataFrame, key: str, given: str, source: str) -> str:
    """The column of a key: the one that the caller names, or one with a usual name."""
    if given != key:
        return find_column(frame, given, source)
    found = _match(frame, key, ())
    if found is not None:
        return found
    unnamed = [name for name in frame.columns if UNNAMED.fullmatch(name)]
    if key == "date" and len(unnamed) == 1:  # an index of dates, written without its name
        return unnamed[0]
    names = [name for name in frame.columns if name != FILE_NAME]
    other = (
        "; files of a single ticker need one_symbol=, tables with a column per symbol wide=" if key == "symbol" else ""
    )
    raise UnknownColumnError(
        f"{source} has no column {key!r}",
        hint=f"name it with {key}={other}; {suggest(key, names) or 'the table has no columns'}",
    )


def _match(frame: pl.DataFrame, name: str, taken: Collection[str]) -> str | None:
    """The column with this name, with it in another spelling, or else with a synonym; None if there is none."""
    columns = [column for column in frame.columns if column not in taken]
    if name in columns:
        return name
    for names in ([snake_case(name)], SYNONYMS.get(name, ())):
        found = [column for column in columns if snake_case(column) in names and snake_case(column)]
        if len(found) > 1:
            raise BarsError(
                f"columns {found[0]!r} and {found[1]!r} could both be the {name}",
                hint=f"say which: {name}={found[0]!r}"
                if name in KEYS
                else f"say which: columns={{{name!r}: {found[0]!r}}}",
            )
        if found:
            return found[0]
    return None


def _rename(frame: pl.DataFrame, origin: Mapping[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """The keys, then the other columns in their order; a column whose name another one takes is left out."""
    taken = {new.lower() for new, old in origin.items() if new != old}
    renamed = {old: new for new, old in origin.items()}
    dropped = [name for name in frame.columns if name not in renamed and name.lower() in taken]
    kept = [name for name in frame.columns if name not in dropped and name not in (origin["symbol"], origin["date"])]
    columns = [pl.col(origin[key]).alias(key) for key in KEYS]
    for name in kept:
        new = [target for target, old in origin.items() if old == name]
        columns += [pl.col(name).alias(target) for target in new or [name]]
    return frame.select(columns), dropped
