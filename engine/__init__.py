"""How factors run, told once.

    factors -> plan -> executor -> frame

1. `bars.py` and `layout.py`: bars are checked and sorted by (symbol, date), with the offsets of every symbol and, when
   first needed, the order by date. Missing is null in frames and NaN in arrays. `panel.py` is what users hold: bars
   on which factors are computed and explained.
2. `plan.py`: the factors become a `Plan` by the passes of `passes/`, one file each, in the order of `PASSES`:
   `share` lists every distinct node once, inputs first; `cut` puts each node into a stage with a single axis, symbol
   by symbol or date by date; `allot` says which values each stage reads and which it leaves behind.
3. An executor runs the plan stage by stage. `tile.py`, the default, runs a stage's whole program on one tile (a few
   symbols' history, or a few dates' cross-sections) before the next, tiles on threads, with the operators' kernels
   compiled by `kernel.py`. `lazy.py` runs the same plan as Polars stages: the portable form and the second oracle.
4. `model.py` (read and written by `document.py`) says which factors make a score, and `score.py` turns the factors of
   a date into scores, with a rank and the contribution of every factor.
"""
