"""Copies of a store: backups that are consistent while others write, and one DuckDB file for other programs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb

from factorloom.engine.runtime.replace import replacing
from factorloom.expressions.errors import ArgumentError, StoreError
from factorloom.storage.backing import Backing
from factorloom.storage.catalog import Catalog
from factorloom.storage.folder import SETTINGS, Folder, find_folder
from factorloom.storage.publish import content_of, explained
from factorloom.storage.published import source_of
from factorloom.storage.relation import CATALOG_VIEWS, relations
from factorloom.storage.segment import SUMS
from factorloom.storage.sql import literal, table

__all__ = ["backup", "export", "files_of", "restore_store"]


def backup(backing: Backing, target: str | os.PathLike[str]) -> int:
    """Copy what the newest catalogue names; returns how many files were new."""
    place = Path(os.path.realpath(target))
    if place == backing.folder.root or backing.folder.root in place.parents:
        raise ArgumentError(f"the backup {place} would lie in the store itself", hint="choose another folder")
    folder = find_folder(place, read_only=False, partial=True)
    _refuse_store(folder)
    folder.create()
    while True:
        catalog, path = backing.newest()
        try:
            return _copied(backing.folder, folder, catalog, path)
        except FileNotFoundError as error:
            if backing.newest()[1] == path:
                raise StoreError(f"the file {error.filename} is missing", hint="run: factorloom store check") from error
        except OSError as error:
            raise folder.failed("written", error) from error


def _copied(source: Folder, target: Folder, catalog: Catalog, path: Path) -> int:
    """Copy files, then the catalogue that names them; returns how many files were new."""
    count = sum(_link(source, target, file) for file in files_of(source, catalog))
    new = target.catalogs / path.name
    _copy(target, path, new)
    settings = source.root / SETTINGS
    if settings.exists():
        _copy(target, settings, target.root / SETTINGS)
    target.settle(target.catalogs, target.segments)
    target.replace(target.current, content_of(new))
    for old in target.catalogs.glob("*.duckdb"):
        if old != new:
            old.unlink()
    return count


def _refuse_store(folder: Folder) -> None:
    """Refuse to put a backup in the place of a store that was written to."""
    if folder.current.exists():
        with closing(Backing(folder, read_only=True, wait=0.0)) as backing:
            if backing.catalog().root == str(folder.root):
                raise StoreError(f"{folder.root} is a store, not a backup", hint="choose another folder")


def restore_store(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Make a store of a backup, at a path where there is none."""
    original = find_folder(source, read_only=True)
    place = Path(os.path.realpath(target))
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise StoreError(f"{place} is there already", hint="choose a path that does not exist yet")
    with closing(Backing(original, read_only=True, wait=0.0)) as backing:
        backup(backing, place)
    new = find_folder(place, read_only=False)
    with closing(Backing(new, read_only=False, wait=0.0)) as backing, backing.publishing():
        pass  # views name the files where they now are


def export(backing: Backing, target: str | os.PathLike[str]) -> None:
    """Write bars, attributes, universes, saved factors and scores to one DuckDB file, as tables."""
    place = Path(os.path.realpath(target))
    if place.is_dir() or not place.parent.is_dir():
        raise ArgumentError(f"{place} is a folder, or in none", hint="name a file, such as market.duckdb")
    catalog, path = backing.newest()
    for row in catalog.files():
        backing.files.open(row.file, row.size, row.check).verify()
    try:
        with replacing(place) as new, closing(duckdb.connect(str(new))) as cursor:
            cursor.execute(f"ATTACH {literal(str(path))} AS stored (READ_ONLY)")
            cursor.execute("CREATE SCHEMA catalog")
            for name, columns in CATALOG_VIEWS.items():
                cursor.execute(f"CREATE TABLE catalog.{name} AS SELECT {columns} FROM stored.catalog.{name}")
            for name in catalog.datasets:
                view = backing.view(name, None, catalog)
                for relation in relations(catalog, view, backing.saved_entries(catalog, view)):
                    text = relation.text(lambda files: source_of(backing.folder, files))
                    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {relation.schema}")
                    cursor.execute(f"CREATE TABLE {table(relation.schema, relation.name)} AS {text}")
            cursor.execute("DETACH stored")
    except duckdb.Error as error:
        raise explained(backing.folder, str(error)) from error
    except OSError as error:
        raise backing.folder.failed("exported", error) from error


def files_of(folder: Folder, catalog: Catalog) -> Iterator[str]:
    """All segments that a catalogue names, and their sums."""
    for row in catalog.files():
        yield row.file
        if folder.segment(row.file + SUMS).exists():
            yield row.file + SUMS


def _link(source: Folder, target: Folder, file: str) -> bool:
    """Give a file a second name in the target, or copy it where that cannot be; False if it is there."""
    new = target.segment(file)
    if new.exists():
        return False
    new.parent.mkdir(exist_ok=True)
    try:
        os.link(source.segment(file), new)
    except FileNotFoundError:
        raise
    except OSError:
        _copy(target, source.segment(file), new)
    return True


def _copy(target: Folder, source: Path, new: Path) -> None:
    """Copy a file whole or not at all."""
    temporary = new.with_name(f".{new.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, temporary)
        target.settle(temporary)
        temporary.replace(new)
    finally:
        temporary.unlink(missing_ok=True)
