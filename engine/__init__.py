"""How factors run.

    factors -> plan -> executor -> frame

1. `bars/`: `read.py` checks and sorts a table by (symbol, date); `bars.py` holds the rows of each symbol, date and
   group, which `sort.py`, `order.py` and `layout.py` find; `category.py` turns text into codes; `selection.py` picks
   rows by dates and symbols. Missing is null in frames and NaN in arrays.
2. `plan/`: `request.py` checks what a caller wants and makes a `Plan` of it (`plan.py`), by the passes that
   `passes.py` lists, one file each: `simplify` rewrites what has a cheaper form, `share` lists every distinct node
   once, inputs first, `cut` puts each node into a stage with a single orientation, symbol by symbol or date by date,
   `split` makes batches of factors where too many values would wait between stages (`flow.py` says which do, and
   `last_stage.py` where the last stage of a streamed plan begins), `schedule` orders the steps of a stage with the
   statistics that they share, and `place` writes down the instructions of each stage: load, run, keep, emit.
   `reach.py` finds the bars that selected values need; `explain.py` prints a plan.
3. `executor/`: whatever offers `run(plan, bars, observer)` (`protocol.py`), found by name (`choose.py`); `fit.py`
   plans anew where a computation would take too much memory.
   `native/` is the default: `machine.py` takes stage after stage, `tile.py` cuts rows into tiles (the history of some
   symbols, or all symbols on some dates), `stage.py` hands tiles to threads, and where a tile is long the outputs too
   (`parts.py`), `program.py` turns the instructions of a stage into calls on arrays, `kernel.py` makes drivers of the
   operators' loops, `call.py` calls drivers one after another in compiled code, `transfer.py` and `rank.py` have the
   drivers that move values, and `result.py` the arrays that are written, `spill.py` those that wait on disk.
   `polars.py` runs the same stages as Polars expressions: the portable form and the second opinion. `file.py` writes
   blocks of outputs to Parquet.
4. `panel.py` is what users hold: bars on which factors are computed, written and explained.
5. `research/`: `model.py` (read and written by `document.py`) says which factors make a score, and `score.py` turns the
   factors of a date into scores, with a rank and the contribution of every factor. `explain.py` says what each step
   made of one symbol's factors and what changed (`explanation.py`, drawn by `waterfall.py`). `label.py` makes forward
   returns; `evaluation/` compares factors with them, by the tests of `inference.py` and `performance.py`; `health/`
   says what to distrust, and `report/` writes the page and what notebooks show.

`runtime/` is what all of it stands on: compiled loops kept on disk, the one pool of threads, memory that is reused
within what the process may use, the settings, and the observer that counts, shows progress and cancels.
"""
