"""Results that go to Parquet files block by block, so that they may be larger than memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from factorloom.expressions.errors import ArgumentError

__all__ = ["write_blocks"]


def write_blocks(blocks: Iterator[pl.DataFrame], target: str | os.PathLike[str]) -> pl.LazyFrame:
    """Write frames to one file (`….parquet`) or to a folder of files, and scan what was written.

    What was at the target is replaced when all is written, and stays as it is if anything fails.
    """
    path = Path(target)
    if not path.parent.is_dir():
        raise ArgumentError(f"the folder {path.parent} does not exist", hint="create it first")
    if path.suffix == ".parquet" and not path.is_dir():
        return _write_file(blocks, path)
    if path.exists() and not _is_ours(path):
        raise ArgumentError(f"{path} contains files other than Parquet", hint="name a new folder, or a .parquet file")
    return _write_folder(blocks, path)


def _write_file(blocks: Iterator[pl.DataFrame], path: Path) -> pl.LazyFrame:
    import pyarrow.parquet as pq

    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        first = next(blocks).to_arrow()
        with pq.ParquetWriter(part, first.schema, compression="lz4") as writer:
            writer.write_table(first)
            for block in blocks:
                writer.write_table(block.to_arrow())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return pl.scan_parquet(path)


def _write_folder(blocks: Iterator[pl.DataFrame], path: Path) -> pl.LazyFrame:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.mkdir()
        for number, block in enumerate(blocks):
            block.write_parquet(part / f"{number:05}.parquet", compression="lz4")
        if path.exists():
            shutil.rmtree(path)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return pl.scan_parquet(path / "*.parquet")


def _is_ours(path: Path) -> bool:
    return path.is_dir() and all(item.suffix == ".parquet" for item in path.iterdir())
