"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from factorloom.api.cli.format import Format, format_of

if TYPE_CHECKING:
    import polars as pl

    from factorloom.storage.store import Store

__all__ = ["OutputOption", "OutputPath", "SelectionOption", "StoreOption"]

OutputPath = Annotated[Path | None, Parameter(alias="-o", allow_leading_hyphen=True)]
"""A file for a result, or - for stdout; `check_target` refuses any other value with a leading hyphen."""


@Parameter(name="*")
@dataclass(frozen=True)
class OutputOption:
    """The format and the file of a result.

    Parameters
    ----------
    format
        Output format: by default that of the file's name, such as result.csv, else table.
    output
        Output file, or - for stdout.
    """

    format: Format | None = None
    output: OutputPath = None

    @property
    def chosen(self) -> Format:
        """The format that was given, or that the name of the file asks for."""
        return format_of(self.output) if self.format is None else self.format

    def check(self) -> None:
        """Refuse a file that cannot be written, before any work is done."""
        from factorloom.api.cli.output import check_target

        check_target(self.output)

    def write(self, frame: pl.DataFrame) -> None:
        from factorloom.api.cli.output import write_frame

        write_frame(frame, self.chosen, self.output)


@Parameter(name="*")
@dataclass(frozen=True)
class StoreOption:
    """The store.

    Parameters
    ----------
    store
        Store file.
    """

    store: Annotated[Path, Parameter(env_var="FACTORLOOM_STORE")] = Path("factorloom.duckdb")

    def open(self, *, must_exist: bool = True, read_only: bool = False) -> Store:
        """Open the store; with `must_exist`, it is not created if missing."""
        from factorloom.expressions.errors import StoreError
        from factorloom.storage.store import open_store

        if must_exist and not self.store.exists():
            raise StoreError(
                f"no store at {self.store}",
                hint="create one with `factorloom load` or `factorloom demo`, or choose another with --store",
            )
        return open_store(self.store, read_only=read_only)


@Parameter(name="*")
@dataclass(frozen=True)
class SelectionOption:
    """The selected bars.

    Parameters
    ----------
    start
        First date.
    end
        Last date, included.
    symbols
        Symbols, separated by commas.
    """

    start: str | None = None
    end: str | None = None
    symbols: str | None = None

    def arguments(self) -> dict[str, Any]:
        """The selection as arguments of `Store.compute`."""
        symbols = None if self.symbols is None else [s.strip() for s in self.symbols.split(",") if s.strip()]
        return {"start": self.start, "end": self.end, "symbols": symbols}
