"""The views of a published catalogue: whoever opens it with DuckDB alone, from any folder, finds the store in it."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from factorloom.storage.catalog import Catalog
from factorloom.storage.folder import Folder
from factorloom.storage.relation import Files, Relation
from factorloom.storage.sql import Cursor, literal, quote, table

__all__ = ["datasets_changed", "drop_views", "source_of", "write_views"]

SCHEMAS = ("bars", "attributes", "universes", "factors", "scores", "models", "weights")


def write_views(cursor: Cursor, folder: Folder, dataset: str, relations: Iterable[Relation]) -> None:
    """Replace the views of a dataset; those that cannot be are left out."""
    drop_views(cursor, dataset)
    for relation in relations:
        name = table(relation.schema, relation.name)
        try:
            cursor.execute(f"CREATE VIEW {name} AS {relation.text(lambda files: source_of(folder, files))}")
        except duckdb.Error:  # a file is missing or damaged, which must not keep the store from being repaired
            continue
        for column, meaning in relation.comments:
            cursor.execute(f"COMMENT ON COLUMN {name}.{quote(column)} IS {literal(meaning)}")


def drop_views(cursor: Cursor, dataset: str) -> None:
    """Drop the views of a dataset."""
    query = (
        "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database()"
    )
    for schema, name in cursor.execute(query).fetchall():
        if schema in SCHEMAS and (name == dataset or name.startswith(f"{dataset}__")):
            cursor.execute(f"DROP VIEW {table(schema, name)}")


def datasets_changed(before: Catalog, after: Catalog) -> list[str]:
    """The datasets of which SQL sees something else."""
    return [name for name in after.datasets if _shown(before, name) != _shown(after, name)]


def _shown(catalog: Catalog, name: str) -> list[object]:
    """What the views of a dataset depend on."""
    kinds = ["segments", "tables", "factors", "scores"]
    if _part(catalog, "factors", name):
        kinds.append("cache")
    return [catalog.datasets.get(name), *(_part(catalog, kind, name) for kind in kinds)]


def _part(catalog: Catalog, kind: str, dataset: str) -> list[object]:
    return [each for each in getattr(catalog, kind) if each.dataset == dataset]


def source_of(folder: Folder, files: Files) -> str:
    """What reads files in the text of a view."""
    paths = ", ".join(literal(_exactly(str(folder.segment(file)))) for file in files.files)
    return f"read_parquet([{paths}])"


def _exactly(path: str) -> str:
    """A path that DuckDB does not take for a pattern, which would read the files of a store beside it too."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in path)
