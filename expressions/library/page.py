"""A library as a page of documentation, made from the code."""

from __future__ import annotations

from collections.abc import Callable

from factorloom.expressions.library.library import Entry, Library

__all__ = ["lookback", "page"]

HEAD = """# {title}

Made from the code by `factorloom library {name} --format markdown`. See [Libraries](../libraries.md) for how to use it.

{about}

{count} factors, source: {source}. They read {columns}.

"""
LEGEND = "Lookback is in bars before the current one; `+` means that older bars count too, with decreasing weight.\n\n"

FIELDS: dict[str, Callable[[str, Entry], str]] = {
    "factor": lambda name, entry: f"`{name}`",
    "measures": lambda name, entry: entry.meaning,
    "better when": lambda name, entry: {1: "high", -1: "low", 0: ""}[entry.direction],
    "family": lambda name, entry: entry.family,
    "formula": lambda name, entry: f"`{entry.factor}`",
    "columns": lambda name, entry: " ".join(entry.factor.columns),
    "lookback": lambda name, entry: lookback(entry),
    "source": lambda name, entry: entry.source,
    "note": lambda name, entry: entry.note,
}


def page(library: Library) -> str:
    """The library in Markdown: how to read it, and a table of its factors.

    >>> import factorloom as fl
    >>> print(page(fl.library.alpha360()).splitlines()[0])
    # Alpha360
    """
    head = HEAD.format(
        title=library.title,
        name=library.name,
        about=library.about.strip(),
        count=len(library),
        source=library.source,
        columns=" ".join(f"`{column}`" for column in library.columns),
    )
    items = library.entries.items()
    columns = {label: [field(name, entry) for name, entry in items] for label, field in FIELDS.items()}
    filled = {label: cells for label, cells in columns.items() if any(cells)}
    table = [list(filled), ["---"] * len(filled), *map(list, zip(*filled.values(), strict=True))]
    return head + LEGEND + "\n".join(_row(cells) for cells in table) + "\n"


def lookback(entry: Entry) -> str:
    """The bars that a value needs, with a plus where it depends on the whole history."""
    return f"{entry.factor.lookback}{'+' if entry.factor.unbounded else ''}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
