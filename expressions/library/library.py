"""Factor libraries: named factors in order, each with its source."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

from factorloom.expressions.errors import UnknownColumnError, UnknownFactorError, suggest
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, col
from factorloom.expressions.parse import parse

__all__ = ["Entry", "Library", "read_formulas"]


@dataclass(frozen=True, eq=False)
class Entry:
    """One factor of a library.

    Attributes
    ----------
    factor : Factor
    meaning : str
        What it measures, in a few words.
    source : str
        Where the formula is taken from, if not from the source of the whole library.
    note : str
        The choice made where sources disagree.
    family : str
        The group of factors that it belongs to.
    direction : int
        1 where high values earned more in the source, -1 where low values did, 0 where the source does not say.
    """

    factor: Factor
    meaning: str = ""
    source: str = ""
    note: str = ""
    family: str = ""
    direction: Literal[-1, 0, 1] = 0


class Library(Mapping[str, Factor]):
    """Named factors in order: a mapping that can be passed to `panel.compute`.

    Attributes
    ----------
    name, title, source, about : str
        The name of the library in code and its title, where it was published, and how to read its formulas.
    entries : mapping of str to Entry
        Every factor with its description.

    Examples
    --------
    >>> import factorloom as fl
    >>> styles = fl.library.styles()
    >>> styles
    <Library styles: 34 factors>
    >>> print(styles["reversal_5d"])
    ts_pct_change(close, 5)
    >>> list(styles.select("reversal_*"))
    ['reversal_5d', 'reversal_21d', 'reversal_36_12']
    >>> print(styles.rename_columns({"close": "adj_close"})["reversal_5d"])
    ts_pct_change(adj_close, 5)
    """

    def __init__(self, name: str, title: str, source: str, entries: Mapping[str, Entry], *, about: str = "") -> None:
        self.name, self.title, self.source, self.about = name, title, source, about
        self.entries = dict(entries)

    def __getitem__(self, name: str) -> Factor:
        try:
            return self.entries[name].factor
        except KeyError:
            raise UnknownFactorError(f"{self.name} has no factor {name!r}", hint=suggest(name, self.entries)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __repr__(self) -> str:
        return f"<Library {self.name}: {len(self)} factor{'' if len(self) == 1 else 's'}>"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the factors read, sorted."""
        return tuple(sorted({column for factor in self.values() for column in factor.columns}))

    def select(self, *names: str) -> Library:
        """The factors of these names, in the order of the library; `*` stands for any letters, `?` for any single one.

        Raises
        ------
        UnknownFactorError
            Where a name matches no factor.
        """
        for name in names:
            if not any(fnmatchcase(known, name) for known in self.entries):
                hint = suggest(name, self.entries)
                raise UnknownFactorError(f"{self.name} has no factor {name!r}", hint=hint)
        return self._with({k: e for k, e in self.entries.items() if any(fnmatchcase(k, name) for name in names)})

    def rename_columns(self, names: Mapping[str, str]) -> Library:
        """The same factors, reading other columns: `{"close": "adj_close", "sector": "gics"}`.

        Raises
        ------
        UnknownColumnError
            Where no factor reads a column that is to be renamed.
        """
        for name in names:
            if name not in self.columns:
                hint = suggest(name, self.columns)
                raise UnknownColumnError(f"no factor of {self.name} reads a column {name!r}", hint=hint)

        def renamed(node: Factor) -> Factor | None:
            return col(names[node.columns[0]]) if node.operator is COL and node.columns[0] in names else None

        return self._with({k: replace(e, factor=e.factor.rebuild(renamed)) for k, e in self.entries.items()})

    def lacking(self, columns: Collection[str]) -> dict[str, tuple[str, ...]]:
        """The factors that need columns other than these, and the columns that each lacks."""
        lacks = {name: tuple(c for c in factor.columns if c not in columns) for name, factor in self.items()}
        return {name: needed for name, needed in lacks.items() if needed}

    def available(self, columns: Collection[str]) -> Library:
        """The factors that need no other columns than these; `lacking` gives the others.

        >>> import factorloom as fl
        >>> len(fl.library.styles().available(["open", "high", "low", "close", "volume"]))
        22
        """
        lacking = self.lacking(columns)
        return self._with({name: entry for name, entry in self.entries.items() if name not in lacking})

    def _with(self, entries: Mapping[str, Entry]) -> Library:
        return Library(self.name, self.title, self.source, entries, about=self.about)


def read_formulas(texts: Mapping[str, str], notes: Mapping[str, str] | None = None) -> dict[str, Entry]:
    """Entries of factors written as text.

    >>> read_formulas({"rise": "close - open"}, {"rise": "in money"})["rise"].factor
    <Factor close - open>
    """
    notes = notes or {}
    assert notes.keys() <= texts.keys(), f"notes on no factor: {notes.keys() - texts.keys()}"
    return {name: Entry(parse(text), note=notes.get(name, "")) for name, text in texts.items()}
