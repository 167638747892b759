"""Saved factors: names that are given to definitions, and seen in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from factorloom.expressions.errors import ParameterError
from factorloom.expressions.factor import Factor
from factorloom.expressions.parse import parse
from factorloom.storage import catalog
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import Catalog, SavedFactor, check_name, replace_row

__all__ = ["check_names", "save", "saved_factors"]

LONG = "long"


def check_names(names: Iterable[str]) -> None:
    """Refuse names that cannot be columns of a view; SQL does not tell names apart that differ only in case."""
    seen: dict[str, str] = {}
    for name in names:
        if not name or not name.isprintable() or name.lower() in ("symbol", "date"):
            raise ParameterError(
                f"{name!r} is not a valid factor name", hint="use printable text other than symbol and date"
            )
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise ParameterError(f"the names {other!r} and {name!r} differ only in case", hint="rename one of them")


def save(
    backing: Backing,
    dataset: str,
    factors: Mapping[str, Factor],
    *,
    set_name: str,
    notes: Mapping[str, str],
    directions: Mapping[str, int],
) -> None:
    """Publish names; a name of the dataset that has another meaning is refused."""
    check_names(factors)
    if check_name(set_name, "set") == LONG:
        raise ParameterError("a set cannot be named 'long'", hint=f"factors.{dataset}__long has a row for every value")
    for what, given in (("notes", notes), ("directions", directions)):
        if unknown := [name for name in given if name not in factors]:
            raise ParameterError(f"{what} name {unknown[0]!r}, which is not saved here")
    with backing.publishing() as draft:
        backing.dataset(dataset, draft.before)
        known = {each.name.lower(): each for each in draft.before.factors if each.dataset == dataset}
        for name, factor in factors.items():
            old = known.get(name.lower())
            if old is not None and (old.digest != factor.digest or old.name != name):
                raise ParameterError(
                    f"{old.name!r} is saved as {old.text} in the set {old.set!r}",
                    hint=f"choose another name, or drop it first: store.drop({dataset!r}, names=[{old.name!r}])",
                )
        for name, factor in factors.items():
            row = SavedFactor(
                *(dataset, set_name, name, factor.digest, str(factor), list(factor.columns), factor.lookback),
                direction=directions.get(name, 0),
                note=notes.get(name, ""),
                saved_at=catalog.now(),
            )
            replace_row(draft.cursor, "factors", row, dataset=dataset, name=name)


def saved_factors(known: Catalog, dataset: str) -> dict[str, Factor]:
    """The saved factors of a dataset, by name."""
    return {each.name: parse(each.text) for each in known.factors if each.dataset == dataset}
