"""Check a store: name every file that is damaged, missing or not needed, and repair what can be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from factorloom.expressions.errors import StoreError
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import check_format, read_catalog
from factorloom.storage.drop import drop_files
from factorloom.storage.folder import Folder, find_folder
from factorloom.storage.publish import CONFIG, content_of
from factorloom.storage.segment import Segment

__all__ = ["check_store"]

SCHEMA: dict[str, Any] = {
    "file": pl.String,
    "dataset": pl.String,
    "kind": pl.String,
    "problem": pl.String,
    "repaired": pl.String,
}
DROPPED = {"values": "dropped; it is computed again when it is needed", "scores": "dropped; score again"}
KINDS = {"segments": "bars", "tables": "table", "cache": "values", "scores": "scores"}


def check_store(
    path: str | os.PathLike[str], *, repair: bool = False, backup: str | os.PathLike[str] | None = None
) -> pl.DataFrame:
    """Compare every file of a store with its digest.

    Parameters
    ----------
    path
        The store's folder.
    repair
        Drop damaged values and scores, which can be computed again; take bars and tables from the backup; if the
        catalogue is damaged, go back to the one before.
    backup
        The folder of a backup.

    Returns
    -------
    polars.DataFrame
        One row for each file with a problem: `file`, `dataset`, `kind`, `problem`, and what was `repaired`.

    Examples
    --------
    >>> import tempfile, factorloom as fl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with fl.open_store(folder + "/market") as store:
    ...         report = store.load("tiny", fl.example())
    ...     fl.check_store(folder + "/market").height
    0
    """
    folder = find_folder(path, read_only=True, partial=True)
    rows: list[dict[str, Any]] = []
    try:
        Backing(folder, read_only=True, wait=0.0).close()
    except StoreError as error:
        rows.append({"file": "CURRENT", "dataset": None, "kind": "catalogue", "problem": str(error).splitlines()[0]})
        if not repair:
            return pl.DataFrame(rows, schema=SCHEMA)
        rows[-1]["repaired"] = _previous(folder)
    with closing(Backing(folder, read_only=not repair, wait=60.0)) as backing:
        found = list(_problems(backing))
        if repair:
            spare = None if backup is None else find_folder(backup, read_only=True)
            _repair(backing, found, spare)
        for row in found:
            del row["row"]
        return pl.DataFrame([*rows, *found], schema=SCHEMA)


def _problems(backing: Backing) -> Iterator[dict[str, Any]]:
    catalog = backing.catalog()
    for table, kind in KINDS.items():
        for row in getattr(catalog, table):
            try:
                Segment(backing.folder, row.file, row.size, row.check).compare()
            except StoreError as error:
                problem = str(error).splitlines()[0].rpartition(row.file)[2].strip()
                yield {"file": row.file, "dataset": row.dataset, "kind": kind, "problem": problem, "row": row}


def _repair(backing: Backing, found: list[dict[str, Any]], spare: Folder | None) -> None:
    """Repair files, bars first: what is dropped is published with views that read them."""
    gone = []
    for row in found:
        dropped = DROPPED.get(row["kind"])
        row["repaired"] = _mended(backing, row["row"]) or dropped or _taken(backing, row["row"], spare)
        if row["repaired"] == dropped:
            gone.append(row["file"])
    backing.unreadable = {row["dataset"] for row in found if row["repaired"].startswith("no:")}
    if gone:
        drop_files(backing, gone)


def _mended(backing: Backing, entry: Any) -> str | None:
    """Where only the sums beside a file are damaged, they are written anew."""
    with suppress(StoreError):
        if Segment(backing.folder, entry.file, entry.size, entry.check).write_sums():
            return "its sums were written anew"
    return None


def _taken(backing: Backing, entry: Any, spare: Folder | None) -> str:
    if spare is None:
        return "no: name a backup"
    try:
        Segment(spare, entry.file, entry.size, entry.check).verify()
        content = spare.segment(entry.file).read_bytes()
    except StoreError:
        return "no: the backup does not have it"
    backing.folder.replace(backing.folder.segment(entry.file), content)
    Segment(backing.folder, entry.file, entry.size, entry.check).write_sums()
    return "taken from the backup"


def _previous(folder: Folder) -> str:
    """Let CURRENT name a copy of the newest catalogue that can be read, under a number that was never used."""
    known = [path for path in folder.catalogs.glob("*.duckdb") if path.stem.isdigit()]
    for path in sorted(known, key=lambda path: int(path.stem), reverse=True):
        if _is_whole(path):
            new = folder.catalogs / f"{max(int(each.stem) for each in known) + 1:06}.duckdb"
            folder.replace(new, path.read_bytes())
            folder.replace(folder.current, content_of(new))
            return f"went back to the catalogue {path.name}"
    raise StoreError(f"no catalogue of {folder.name} can be read", hint="restore the store from a backup")


def _is_whole(path: Path) -> bool:
    try:
        with closing(duckdb.connect(str(path), read_only=True, config=CONFIG)) as cursor:
            check_format(cursor, str(path))
            read_catalog(cursor, 0)
    except (duckdb.Error, StoreError, TypeError, ValueError):
        return False
    return True
