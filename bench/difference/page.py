"""The readings of other engines as a page of documentation, made from the code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from factorloom.bench.difference import Reading, kunquant, polars_ta, qweave
from factorloom.bench.sets import SETS
from factorloom.expressions import library

__all__ = ["READINGS", "page"]

READINGS = (*qweave.READINGS, *kunquant.READINGS, *polars_ta.READINGS)

HEAD = """# Where engines differ

Made from the code by `factorloom bench differences`, from readings that the tests prove: each factor of another
engine is computed here, with the operators as that engine means them and the formula as it has it, and must have its
values, up to 1e-6 of the largest of the column, on the latest 100 of 600 bars of a simulated market without gaps.
What rounding decides must move when sums are put off in their eleventh digit. What is not listed is equal; where
operators are listed, those of the factors with them that the engine has may differ.

Where Qlib and TA-Lib differ is noted in the tables of [alpha158](library/alpha158.md) and
[technical](library/technical.md); what is disputed in the formulas themselves, in those of
[alpha101](library/alpha101.md) and [gtja191](library/gtja191.md).
"""


def page() -> str:
    """All readings in Markdown, engine by engine."""
    return "\n".join([HEAD, *(line for reading in READINGS for line in _reading(reading))]).rstrip() + "\n"


def _reading(reading: Reading) -> Iterator[str]:
    factors = SETS[reading.set]()
    yield f"## {reading.engine}: {library.LIBRARIES[reading.set]().title}\n"
    if reading.operators:
        yield "| operator | what it does there | factors with it |\n| --- | --- | --- |"
        for operator, meaning in reading.operators.items():
            using = (name for name, factor in factors.items() if operator in reading.used(factor))
            yield f"| `{operator}` | {meaning.cause} | {_names(using)} |"
        yield ""
    if reading.formulas:
        yield "| factor | what is different | the formula there |\n| --- | --- | --- |"
        for name, change in reading.formulas.items():
            written = reading.written(name, factors[name])
            yield f"| `{name}` | {change.cause} | {'' if written is None else _code(str(written))} |"
        yield ""
    for cause in dict.fromkeys(reading.rounding.values()):
        yield f"Rounding decides {cause}: {_names(name for name, why in reading.rounding.items() if why == cause)}.\n"


def _names(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")
