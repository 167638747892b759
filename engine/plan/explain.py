"""A plan as text."""

from __future__ import annotations

from factorloom.engine.bars.bars import Bars
from factorloom.engine.plan.plan import Plan, SharedStatistic, Stage, Step, shared_statistics
from factorloom.engine.runtime.thread import processors
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT
from factorloom.expressions.render import render

__all__ = ["explain", "peak"]

DIRECTION = {Axis.TIME: "symbol by symbol", Axis.CROSS: "date by date"}
MEBIBYTE = 2**20


def explain(plan: Plan, bars: Bars, item: int, held: int, tile_rows: int) -> str:
    """One line about the whole, every stage with its steps in the order in which they run, and what they hold.

    `item` is the size of a value of the result, `held` the number of rows for which results are held at once.
    """
    names: dict[Step, str] = {node: f"n{number}" for number, node in enumerate(plan.computed, start=1)}
    found = dict.fromkeys(step for stage in plan.stages for step in stage.steps if isinstance(step, SharedStatistic))
    names |= {shared: f"s{number}" for number, shared in enumerate(found, start=1)}
    lines = [_summary(plan)]
    for number, stage in enumerate(plan.stages, start=1):
        lines.append(f"stage {number}, {DIRECTION[stage.axis]}: reads {_listed(stage.reads, names)}")
        lines += [_step(plan, stage, step, names) for step in stage.steps]
        lines += [
            _left(plan, stage, node, names)
            for node in dict.fromkeys((*stage.keeps, *stage.results))
            if node in set(stage.reads)
        ]
    parts = {part: size / MEBIBYTE for part, size in peak(plan, bars, item, held, tile_rows).items()}
    lines.append(
        f"{len(plan.aims) * bars.rows:,} cells; memory beyond the panel {sum(parts.values()):,.1f} MiB: "
        + ", ".join(f"{part} {size:,.1f}" for part, size in parts.items())
    )
    return "\n".join(lines)


def peak(plan: Plan, bars: Bars, item: int, held: int, tile_rows: int) -> dict[str, float]:
    """The most bytes that a first run takes.

    Results with a bit for each value; what lies between stages; columns with missing values and the order of dates,
    which the panel keeps for later runs; and what the threads work with.
    """
    columns = {str(n.parameters[0]) for stage in plan.stages for n in stage.reads if n.operator is COL}
    filled = sum(bars.frame[column].null_count() > 0 for column in columns)
    return {
        "results": len(set(plan.aims.values())) * held * (item + 1 / 8),
        "between stages": max(len(plan.live(number)) for number in range(len(plan.stages))) * bars.rows * 8,
        "columns": (filled + (2 if plan.turned else 0)) * bars.rows * 8,
        "scratch": max(stage.width() for stage in plan.stages) * min(bars.rows, tile_rows) * 8 * processors(),
    }


def _summary(plan: Plan) -> str:
    factors, stages = len(plan.wanted), len(plan.stages)
    apart = sum(sum(1 for node in factor.walk() if node.operator not in (COL, LIT)) for factor in plan.wanted.values())
    work = len(plan.computed)
    read = [shared for stage in plan.stages for node in stage.nodes for shared in shared_statistics(node)]
    statistics = f" and {_counted(len(set(read)), 'statistic')} (read {_counted(len(read), 'time')})" if read else ""
    lookback = max(factor.lookback for factor in plan.wanted.values())
    memory = ", unbounded memory" if any(factor.unbounded for factor in plan.wanted.values()) else ""
    ahead = max(factor.lookahead for factor in plan.wanted.values())
    ahead_text = f", look-ahead {_counted(ahead, 'bar')}" if ahead else ""
    return (
        f"{_counted(factors, 'factor')}, {_counted(work, 'operation')} ({apart - work} shared){statistics}, "
        f"lookback {_counted(lookback, 'bar')}{ahead_text}{memory}, {_counted(stages, 'stage')}"
    )


def _step(plan: Plan, stage: Stage, step: Step, names: dict[Step, str]) -> str:
    if isinstance(step, SharedStatistic):
        given = ", ".join(
            _named(value, names) if isinstance(value, Factor) else str(value)
            for value in step.arguments
            if not isinstance(value, tuple)
        )
        return f"  {names[step]} = {step.statistic.name}({given}): {', '.join(step.outputs)}"
    shallow = render(step, names={child: names[child] for child in step.inputs if child in names})
    read = [names[shared] for shared in shared_statistics(step)]
    text = f"{shallow} from {', '.join(read)}" if read else shallow
    return f"  {names[step]} = {text:<40} {_goes(plan, stage, step)}".rstrip()


def _left(plan: Plan, stage: Stage, node: Factor, names: dict[Step, str]) -> str:
    return f"  {_named(node, names):<45} {_goes(plan, stage, node)}"


def _goes(plan: Plan, stage: Stage, node: Factor) -> str:
    """Where a value goes after its stage."""
    results = [name for name, factor in plan.aims.items() if factor is node and node in set(stage.results)]
    kept = ["kept by date" if node in plan.turned else "kept"] if node in set(stage.keeps) else []
    return f"-> {', '.join([*kept, *results])}" if kept or results else ""


def _named(node: Factor, names: dict[Step, str]) -> str:
    return names.get(node, str(node))


def _listed(nodes: tuple[Factor, ...], names: dict[Step, str]) -> str:
    return ", ".join(_named(node, names) for node in nodes) or "nothing"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word if number == 1 else word + 's'}"
