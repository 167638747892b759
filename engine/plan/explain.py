"""A plan as text."""

from __future__ import annotations

from collections.abc import Mapping

from factorloom.engine.plan.plan import (
    Emit,
    Keep,
    Load,
    Orientation,
    Plan,
    Run,
    SharedStatistic,
    Stage,
    Step,
    Write,
)
from factorloom.expressions.factor import Factor, dates_left
from factorloom.expressions.notebook import Text
from factorloom.expressions.operator import COL, LIT
from factorloom.expressions.render import render

__all__ = ["explain"]

MEBIBYTE = 2**20


def explain(plan: Plan, rows: int, memory: Mapping[str, float]) -> Text:
    """One line about the whole, every stage with its steps in the order in which they run, and the memory it takes.

    `memory` gives the bytes that an executor takes for so many rows, by purpose.
    """
    names: dict[Step, str] = {node: f"n{number}" for number, node in enumerate(plan.computed, start=1)}
    found = dict.fromkeys(r.step for stage in plan.stages for r in stage.steps if isinstance(r.step, SharedStatistic))
    names |= {shared: f"s{number}" for number, shared in enumerate(found, start=1)}
    lines = [_overview(plan)]
    for number, stage in enumerate(plan.stages, start=1):
        loads = ", ".join(_loaded(stage, load, names) for load in stage.loads) or "nothing"
        lines.append(f"stage {number}, {stage.orientation.value}: loads {loads}")
        lines += _steps(plan, stage, names)
    parts = {part: size / MEBIBYTE for part, size in memory.items()}
    lines.append(
        f"{len(plan.outputs) * rows:,} cells; memory beyond the panel {sum(parts.values()):,.1f} MiB: "
        + ", ".join(f"{part} {size:,.1f}" for part, size in parts.items())
    )
    return Text("\n".join(lines))


def _overview(plan: Plan) -> str:
    factors, work = len(plan.wanted), len(plan.computed)
    written = sum(sum(1 for node in f.walk() if node.operator not in (COL, LIT)) for f in plan.wanted.values())
    read = [shared for stage in plan.stages for run in stage.steps for shared in run.statistics]
    statistics = f" and {_counted(len(set(read)), 'statistic')} (read {_counted(len(read), 'time')})" if read else ""
    lookback = max(factor.lookback for factor in plan.wanted.values())
    memory = ", unbounded memory" if any(factor.unbounded for factor in plan.wanted.values()) else ""
    ahead = max(factor.lookahead for factor in plan.wanted.values())
    ahead_text = f", look-ahead {_counted(ahead, 'bar')}" if ahead else ""
    return (
        f"{_counted(factors, 'factor')}, {_counted(work, 'operation')} ({written - work} shared){statistics}, "
        f"lookback {_counted(lookback, 'bar')}{ahead_text}{memory}, {_counted(len(plan.stages), 'stage')}"
    )


def _steps(plan: Plan, stage: Stage, names: Mapping[Step, str]) -> list[str]:
    """A line for every step, and for every value that is passed on as it was loaded."""
    left: dict[Factor, list[str]] = {}
    for item in stage.instructions:
        if isinstance(item, Keep):
            by_date = item.layout is Orientation.DATE
            left.setdefault(item.node, []).append("kept by date" if by_date else "kept by symbol")
        elif isinstance(item, Write):
            left.setdefault(item.node, []).append("kept in a file")
        elif isinstance(item, Emit):
            left.setdefault(item.node, []).extend(n for n, factor in plan.outputs.items() if factor is item.node)
    made = [_line(run, names) for run in stage.steps]
    inside = set(stage.nodes)
    made += [(node, _named(node, names)) for node in left if node not in inside]
    return [
        f"  {text:<45} -> {', '.join(left[step])}" if isinstance(step, Factor) and step in left else f"  {text}"
        for step, text in made
    ]


def _line(run: Run, names: Mapping[Step, str]) -> tuple[Step, str]:
    step = run.step
    if isinstance(step, SharedStatistic):
        given = (_named(value, names) if isinstance(value, Factor) else str(value) for value in step.arguments)
        inputs = ", ".join(
            text for text, value in zip(given, step.arguments, strict=True) if not isinstance(value, tuple)
        )
        return step, f"{names[step]} = {step.statistic.name}({inputs}): {', '.join(step.outputs)}"
    text = render(step, names={child: names[child] for child in step.inputs if child in names})
    read = [names[shared] for shared in run.statistics]
    return step, f"{names[step]} = {text}" + (f" from {', '.join(read)}" if read else "")


def _loaded(stage: Stage, load: Load, names: Mapping[Step, str]) -> str:
    """What is loaded; a value that must first be brought into the order of the stage says from which."""
    turned = "" if load.layout is stage.orientation else " (by date)"
    return _named(load.node, names) + turned


def _named(node: Factor, names: Mapping[Step, str]) -> str:
    return "the dates left" if node is dates_left() else names.get(node) or str(node)


def _counted(number: int, word: str) -> str:
    plural = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return f"{number:,} {word if number == 1 else plural}"
