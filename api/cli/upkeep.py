"""The commands that keep a store in order."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App, Parameter

from factorloom.api.cli.option import OutputOption, StoreOption, split

__all__ = ["app"]

app = App(
    name="store",
    help="Check, copy, and tidy a store.",
    default_parameter=Parameter(negative=()),
    help_format="plaintext",
)


@app.command
def check(
    *,
    repair: bool = False,
    backup: Path | None = None,
    store_option: StoreOption = StoreOption(),
    output_option: OutputOption = OutputOption(),
) -> None:
    """Compare every file with its digest, and list what is damaged.

    Parameters
    ----------
    repair
        Drop damaged values, which are computed again, and take bars from the backup.
    backup
        Folder of a backup.
    """
    from factorloom.storage.checkup import check_store

    output_option.check()
    output_option.write(check_store(store_option.store, repair=repair, backup=backup))


@app.command
def backup(target: Path, *, store_option: StoreOption = StoreOption()) -> None:
    """Copy the store to a folder; again to the same folder, copy what is new.

    Parameters
    ----------
    target
        Folder of the backup.
    """
    with store_option.open(read_only=True) as store:
        store.backup(target)


@app.command
def restore(source: Path, *, store_option: StoreOption = StoreOption()) -> None:
    """Make a store of a backup, where there is none.

    Parameters
    ----------
    source
        Folder of the backup.
    """
    from factorloom.storage.backup import restore_store

    restore_store(source, store_option.store)


@app.command
def export(target: Path, *, store_option: StoreOption = StoreOption()) -> None:
    """Write bars, saved factors and scores to one DuckDB file.

    Parameters
    ----------
    target
        The file.
    """
    with store_option.open(read_only=True) as store:
        store.export(target)


@app.command
def prune(
    dataset: str | None = None,
    *,
    versions: int | None = None,
    days: float | None = None,
    store_option: StoreOption = StoreOption(),
) -> None:
    """Forget old versions of a dataset, or of all.

    Parameters
    ----------
    dataset
        Name in the store, by default all.
    versions
        How many to keep.
    days
        Or how long to keep them.
    """
    with store_option.open() as store:
        store.prune(dataset, versions=versions, days=days)


@app.command
def compact(*, store_option: StoreOption = StoreOption()) -> None:
    """Merge small files, and delete what is not needed any more."""
    with store_option.open() as store:
        store.compact()


@app.command
def drop(
    dataset: str,
    *,
    symbols: str | None = None,
    names: str | None = None,
    set: str | None = None,
    cache: bool = False,
    store_option: StoreOption = StoreOption(),
) -> None:
    """Take out a dataset, or a part of it.

    Parameters
    ----------
    dataset
        Name in the store; alone, all of it is taken out.
    symbols
        Only these symbols, separated by commas.
    names
        Only these saved factors, separated by commas.
    set
        Only the saved factors of this set.
    cache
        Only the kept values.
    """
    chosen, named = (None if given is None else split(given) for given in (symbols, names))
    with store_option.open() as store:
        store.drop(dataset, symbols=chosen, names=named, set=set, cache=cache)
