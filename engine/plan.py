"""From factors to a plan that an executor can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["Plan", "Stage"]


@dataclass(frozen=True)
class Stage:
    """Operators that run together because all of them look in the same direction.

    Attributes
    ----------
    axis
        `Axis.TIME`: symbol by symbol; `Axis.CROSS`: date by date (with or without groups).
    nodes
        What is computed here, inputs before the nodes that use them.
    reads
        Columns and kept values that are taken in.
    keeps
        Values that later stages or the result need, and that therefore leave the tile.
    """

    axis: Axis
    nodes: tuple[Factor, ...]
    reads: tuple[Factor, ...] = ()
    keeps: tuple[Factor, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What will be computed, and in which order.

    Attributes
    ----------
    wanted
        The factors asked for, by name.
    nodes
        Every distinct node once, inputs first. Filled by the pass `share`.
    stages
        Filled by the pass `cut`, and completed by `allot`.
    """

    wanted: Mapping[str, Factor]
    nodes: tuple[Factor, ...] = ()
    stages: tuple[Stage, ...] = field(default=())

    @property
    def computed(self) -> tuple[Factor, ...]:
        """The nodes that cost work: neither columns nor constants."""
        return tuple(node for node in self.nodes if node.operator not in (COL, LIT))

    def held(self) -> int:
        """The largest number of whole columns that are held at once, results included."""
        return len({node for stage in self.stages for node in stage.keeps} | set(self.wanted.values()))
