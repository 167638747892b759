"""What factors say about the returns that follow.

1. `setting.py` checks what is asked for.
2. `labels.py` makes forward returns of every bar; `cells.py` selects the bars that count, sorts them by date, and ranks
   the labels of every date once.
3. `measured.py` computes some factors at a time and runs the compiled pass of `loop/measure.py` over dates, on all
   processors; the other files of `loop/` have the loops on one date. Of a factor only numbers by date are kept.
4. `portfolio.py`, `summary.py`, `groups.py` and `ledger.py` make statistics of these numbers, all factors and horizons
   at once, and `evaluation.py` the tables. `tails.py`, `pairs.py` and `events.py` read values again, when asked.
5. `evaluate.py` is the way in for a panel. Anything that has bars and values of factors is a `cells.Source`.
"""
