"""The benchmark of scoring: one date, a cold process, a wide date, all dates; beside pandas and plain Polars.

- `options.py`: the sizes
- `peer.py`: the same scores as a user of pandas, and of Polars, writes them
- `fresh.py`: a step in a new process
- `run.py`: all steps, and the report of their figures
"""
