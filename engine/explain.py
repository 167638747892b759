"""A plan as text."""

from __future__ import annotations

from factorloom.engine.plan import Plan, Stage
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT
from factorloom.expressions.render import render

__all__ = ["explain"]

DIRECTION = {Axis.TIME: "symbol by symbol", Axis.CROSS: "date by date"}


def explain(plan: Plan, rows: int) -> str:
    """One line about the whole, then every stage with its operators in the order in which they run."""
    names = {node: f"n{number}" for number, node in enumerate(plan.computed, start=1)}
    lines = [_summary(plan)]
    for number, stage in enumerate(plan.stages, start=1):
        lines.append(f"stage {number}, {DIRECTION[stage.axis]}: reads {_listed(stage.reads, names)}")
        lines += [_step(plan, stage, node, names) for node in stage.nodes]
    held = plan.held()
    lines.append(f"values held at once: {held} x {rows:,} bars, {held * rows * 8 / 2**20:,.1f} MiB")
    return "\n".join(lines)


def _summary(plan: Plan) -> str:
    factors, stages = len(plan.wanted), len(plan.stages)
    apart = sum(sum(1 for node in factor.walk() if node.operator not in (COL, LIT)) for factor in plan.wanted.values())
    work = len(plan.computed)
    lookback = max(factor.lookback for factor in plan.wanted.values())
    memory = ", unbounded memory" if any(factor.unbounded for factor in plan.wanted.values()) else ""
    ahead = max(factor.lookahead for factor in plan.wanted.values())
    ahead_text = f", look-ahead {_counted(ahead, 'bar')}" if ahead else ""
    return (
        f"{_counted(factors, 'factor')}, {_counted(work, 'operation')} ({apart - work} shared), "
        f"lookback {_counted(lookback, 'bar')}{ahead_text}{memory}, {_counted(stages, 'stage')}"
    )


def _step(plan: Plan, stage: Stage, node: Factor, names: dict[Factor, str]) -> str:
    results = [name for name, factor in plan.wanted.items() if factor is node]
    note = f"-> {', '.join(results)}" if results else "-> kept" if node in set(stage.keeps) else ""
    return f"  {names[node]} = {_shallow(node, names):<40} {note}".rstrip()


def _shallow(node: Factor, names: dict[Factor, str]) -> str:
    """The operation on the names of its inputs."""
    return render(node, names={child: names[child] for child in node.inputs if child in names})


def _listed(nodes: tuple[Factor, ...], names: dict[Factor, str]) -> str:
    return ", ".join(names.get(node, str(node)) for node in nodes) or "nothing"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}"
