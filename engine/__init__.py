"""How factors run, told once.

    factors -> plan -> executor -> frame

1. `bars.py` and `layout.py`: bars are checked and sorted by (symbol, date), with the offsets of every symbol and, when
   first needed, the order by date. Missing is null in frames and NaN in arrays. `panel.py` is what users hold: bars
   on which factors are computed and explained.
2. `plan.py`: the factors become a `Plan` by the passes of `passes/`, one file each, in the order of `PASSES`:
   `simplify` rewrites what has a cheaper form, `share` lists every distinct node once, inputs first, `cut` puts each
   into a stage with a single axis, symbol by symbol or date by date, `arrange` puts the steps of a stage in order, with
   the statistics that operators share, and `allot` says what each stage reads and leaves behind. `explain.py` tells it.
3. An executor runs the plan stage by stage. `tile.py`, the default, hands tiles (the history of some symbols, or all
   symbols on some dates) to threads. `program.py` works out once per stage which loop runs on which arrays; `kernel.py`
   makes drivers of the operators' loops, `compile.py` compiles them, and `native.py` calls them one after another
   without the interpreter; `loop.py` has the engine's own. Results lie in `memory.py` that is used again, in columns
   of `result.py`, and leave as a frame, as blocks, or through `sink.py`. `lazy.py` runs the same plan as Polars stages:
   the portable form and the second oracle. `request.py` reads what is asked for, `reach.py` finds the bars it needs.
4. `model.py` (read and written by `document.py`) says which factors make a score, and `score.py` turns the factors of
   a date into scores, with a rank and the contribution of every factor.
"""
