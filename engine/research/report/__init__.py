"""The report of an evaluation: one file of HTML that needs no network, and a short table for notebooks.

`page.py` puts the parts together: `overview.py` (all factors in one table, health, account of rows, settings) and
`sheet.py` (a sheet per factor) compose the charts of `history.py` (along dates) and `shape.py` (all others), which
are drawn with `marks.py` and `scale.py` as plain SVG. `source.py` says which tables are read. `number.py` is the one
place where numbers become text, as `expressions/markup.py` is the one where text becomes HTML. `download.py` packs
tables for the script. `page.css` and `page.js` are the style and the script. `notebook.py` has the overview for
notebooks, `plot.py` charts of Altair.
"""

from factorloom.engine.research.report.page import page, write_report

__all__ = ["page", "write_report"]
