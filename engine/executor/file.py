"""Results that go to Parquet files block by block, so that they may be larger than memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from factorloom.engine.runtime.replace import replacing
from factorloom.expressions.errors import ArgumentError, FactorloomError, FileError

__all__ = ["check_path", "write_blocks"]


def check_path(path: str | os.PathLike[str]) -> Path:
    """Where links lead to, refused where neither one Parquet file nor a folder of such files can be written."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"path must be a path, got {type(path).__name__}")
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise ArgumentError(f"the folder {target.parent} does not exist", hint="create it first")
    if target.is_dir():
        if not all(item.is_file() and item.suffix == ".parquet" for item in target.iterdir()):
            raise ArgumentError(
                f"{path} contains files other than Parquet", hint="name a new folder, or a .parquet file"
            )
    elif target.exists() and target.suffix != ".parquet":
        raise ArgumentError(f"{path} is a file without the ending .parquet", hint="name another file, or a folder")
    return target


def write_blocks(blocks: Iterator[pl.DataFrame], target: Path) -> pl.LazyFrame:
    """Write frames to one file (`….parquet`) or to a folder of files, and scan what was written.

    What was at the target is replaced when all is written, and stays as it is if anything fails.
    """
    is_file = target.suffix == ".parquet" and not target.is_dir()
    try:
        with replacing(target) as new:
            (_write_file if is_file else _write_folder)(blocks, new)
    except (OSError, pl.exceptions.ComputeError) as error:  # Polars has no error of its own for a full disk
        if isinstance(error, FactorloomError):
            raise
        raise FileError(f"{target} cannot be written: {error}", hint="what was there before is unchanged") from error
    return pl.scan_parquet(target if is_file else sorted(target.iterdir()), glob=False)


def _write_folder(blocks: Iterator[pl.DataFrame], folder: Path) -> None:
    folder.mkdir()
    for number, block in enumerate(blocks):
        block.write_parquet(folder / f"{number:05}.parquet", compression="lz4")


def _write_file(blocks: Iterator[pl.DataFrame], path: Path) -> None:
    import pyarrow.parquet as pq

    first = next(blocks).to_arrow()
    with pq.ParquetWriter(path, first.schema, compression="lz4") as writer:
        writer.write_table(first)
        for block in blocks:
            writer.write_table(block.to_arrow())
