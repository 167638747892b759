"""A file in which outputs wait for the last stage, whole columns of float64 one after another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

from factorloom.engine.bars.layout import Array
from factorloom.expressions.factor import Factor

__all__ = ["OutputFile"]


class OutputFile:
    """A file without a name, which is gone once nobody refers to it, in the folder that `TMPDIR` names."""

    def __init__(self, outputs: Iterable[Factor], rows: int) -> None:
        self._file = tempfile.TemporaryFile(prefix="factorloom-", buffering=0)  # noqa: SIM115
        self._starts = {node: number * rows * 8 for number, node in enumerate(outputs)}

    def write(self, node: Factor, values: Array, row: int) -> None:
        """Write the values of an output from this row on."""
        self._file.seek(self._starts[node] + 8 * row)
        self._file.write(values.data)

    def read(self, node: Factor, values: Array, row: int) -> None:
        """Fill an array with the values of an output from this row on."""
        self._file.seek(self._starts[node] + 8 * row)
        count = self._file.readinto(values.data)
        assert count == values.nbytes, "the file of outputs was cut short"
