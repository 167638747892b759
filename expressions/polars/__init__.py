"""Expressions of Polars as factors, and factors inside expressions of Polars.

`read.py` walks the structure of an expression (`tree.py`) and makes factors of it; what functions of Polars mean in our
operators stands in `cell.py` (values of one bar), `time.py` (along the bars of a symbol) and `section.py` (across the
symbols of a date). `namespace.py` gives expressions our operators.
"""
