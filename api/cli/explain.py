"""`factorloom explain-score`: why a symbol has its score, as text, as a table of its factors, or as a picture."""

from __future__ import annotations

from pathlib import Path

from factorloom.api.cli.option import OutputOption, StoreOption, version_of

__all__ = ["explain_score"]


def explain_score(
    dataset: str,
    model: Path,
    symbol: str,
    *,
    date: str | None = None,
    before: str | None = None,
    as_of: str | None = None,
    store_option: StoreOption = StoreOption(),
    output_option: OutputOption = OutputOption(),
) -> None:
    """Say why a symbol has its score on a date, and what changed since an earlier one.

    Parameters
    ----------
    dataset
        Name in the store.
    model
        Score model as a TOML file.
    symbol
        Symbol to explain.
    date
        Date of the score, by default the last.
    before
        Earlier date to compare with, by default the last one before.
    as_of
        A version, or a time in UTC: the dataset as it was known then.
    """
    from factorloom.api.cli.output import write_bytes
    from factorloom.engine.research.model import ScoreModel

    parsed = ScoreModel.from_toml(model)
    output = output_option.output
    picture = output is not None and output_option.format is None and output.suffix.lower() == ".svg"
    text = not picture and output_option.chosen == "table"
    output_option.check()
    with store_option.open() as store:
        found = store.explain_score(dataset, parsed, symbol, date, before=before, as_of=version_of(as_of))
    if picture:
        write_bytes(found.to_svg().encode(), output)
    elif text:
        write_bytes(f"{found}\n".encode(), output)
    else:
        output_option.write(found.factors)
