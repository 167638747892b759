"""Weights of a score model that are fitted on forward returns, walking forward.

A label is known `entry_lag + horizon` dates after its date. That is the purge: on each fitting date only dates that lie
so far back are trained on, whatever the panel holds behind it. Where an `alpha` is chosen by folds, rows that come
after the tested ones also look back on them: they are left out for the lookback of the factors too, the embargo.

- `rule.py`: how weights are fitted, and what purge it needs
- `window.py`: the fitting dates, the dates that each trains on, and folds
- `moment.py`: what a date adds to a fit: rank ICs, or products of factors and targets
- `solve.py`: from sums over dates to weights
- `dated.py`: which weights hold on a date
- `fitted.py`: the weights of each fit, as a dated table
"""
