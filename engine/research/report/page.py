"""The page: one file of HTML with its style and its script inside, allowed by their hashes and nothing else.

    Content-Security-Policy: default-src 'none'; style-src 'sha256-…'; script-src 'sha256-…'; base-uri 'none';
                             form-action 'none'

Nothing is fetched, no style or handler stands in an attribute, nothing is evaluated. The script makes addresses of
blobs to save tables under, which needs no permission.
"""

from __future__ import annotations

import base64
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import numpy as np

from factorloom.engine.research.report.download import downloads
from factorloom.engine.research.report.history import date_axis
from factorloom.engine.research.report.overview import (
    account,
    correlations,
    definitions,
    health,
    overview,
    settings,
)
from factorloom.engine.research.report.shape import group_names
from factorloom.engine.research.report.sheet import sheet
from factorloom.engine.research.report.source import Evaluated, Source
from factorloom.engine.runtime.replace import replacing
from factorloom.expressions.errors import ArgumentError, FactorloomError, FileError, plural
from factorloom.expressions.markup import Markup, tag

__all__ = ["page", "write_report"]


def write_report(evaluation: Evaluated, path: str | os.PathLike[str], title: str | None = None) -> Path:
    """Write the report of an evaluation to one file of HTML.

    Parameters
    ----------
    evaluation
        An `Evaluation`.
    path
        The file, replaced if it is there. Its folder must exist.
    title
        Of the page; default: the number of factors.

    Returns
    -------
    pathlib.Path
        Where the page is.

    Raises
    ------
    ArgumentError
        Where `path` is no path, is a folder, or lies in a folder that does not exist.
    FileError
        Where the file cannot be written; what was there before is unchanged.
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"path must be a path, got {type(path).__name__}")
    if "\0" in os.fsdecode(path):
        raise ArgumentError(f"no file can be named {path!r}", hint="name a file, for example sheet.html")
    target = Path(os.path.realpath(path))
    if os.path.isdir(target):  # False for names that no file can have
        raise ArgumentError(f"{path} is a folder", hint="name a file, for example sheet.html")
    if not os.path.isdir(target.parent):
        raise ArgumentError(f"the folder {target.parent} does not exist", hint="create it first")
    text = page(evaluation, title)
    try:
        with replacing(target) as new:
            new.write_bytes(text.encode())
    except OSError as error:
        if isinstance(error, FactorloomError):
            raise
        raise FileError(f"{target} cannot be written: {error}", hint="what was there before is unchanged") from error
    return target


def page(evaluation: Evaluated, title: str | None = None) -> str:
    """The report of an evaluation as text of one HTML file; the same evaluation gives the same text."""
    source = Source(evaluation)
    style, script = _asset("page.css") + _horizon_rules(len(source.horizons)), _asset("page.js")
    name = title or plural(len(source.factors), "factor")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", name),
        tag("style", Markup(style)),
    ]
    defined = tag("svg", tag("defs", date_axis(source), group_names(source)), class_="shared", aria_hidden="true")
    body = [defined, _header(source, name), _main(source), tag("script", Markup(script))]
    html = tag("html", tag("head", *head), tag("body", *body), lang="en")
    return f"<!doctype html>\n{html}\n"


def _header(source: Source, name: str) -> Markup:
    links = (tag("a", factor, href=f"#f{number}") for number, factor in enumerate(source.factors))
    parts = (("overview", "Overview"), ("health", "Health"), ("rows", "Rows"), ("settings", "Settings"))
    return tag(
        "header",
        tag("p", "Factor evaluation", class_="kind"),
        tag("h1", name),
        tag("p", _lead(source), class_="lead"),
        tag("nav", *(tag("a", text, href=f"#{key}") for key, text in parts), tag("span", *links), aria_label="Parts"),
    )


def _lead(source: Source) -> str:
    horizons = ", ".join(map(str, source.horizons))
    ahead = f"horizon{'s' * (len(source.horizons) != 1)} of {horizons} market dates"
    return f"{plural(len(source.dates), 'date')}, {source.span}; {ahead}"


def _main(source: Source) -> Markup:
    with ThreadPoolExecutor(1) as pool:  # compiled checks run while Python draws
        checked = pool.submit(health, source)
        sheets = [sheet(source, number, factor) for number, factor in enumerate(source.factors)]
        found = checked.result()
    parts = [
        ("overview", "Overview", overview(source)),
        ("health", "Health", found),
        ("correlation", "Correlation of factors", correlations(source)),
    ]
    after = [
        ("rows", "What became of the rows", account(source)),
        ("settings", "Settings", settings(source)),
        ("definitions", "Definitions", definitions()),
    ]
    sections = [*(_section(*each) for each in parts), *sheets, *(_section(*each) for each in after)]
    return tag("main", *sections, downloads(source), data_dates=_dates(source))


def _section(key: str, heading: str, content: Markup) -> Markup:
    return tag("section", tag("h2", heading), content, id=f"{key}")


def _dates(source: Source) -> str:
    """The dates for the tooltip: seconds since 1970 as Float64, in base64."""
    seconds = source.dates.dt.epoch("ms").to_numpy() / 1000 if len(source.dates) else np.empty(0)
    return base64.b64encode(seconds.astype("<f8").tobytes()).decode()


def _horizon_rules(count: int) -> str:
    """The panel that belongs to the chosen button is shown."""
    return "".join(f".sheet>input:nth-of-type({n + 1}):checked~.p{n}{{display:block}}" for n in range(count)) + "\n"


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The hash of an inline style or script, as a content security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
