"""`factorloom bench evaluate`: what an evaluation costs, beside that of other libraries, on daily bars of an index.

- `options` says what to measure; `run` lists the turns of each engine and puts their figures beside each other.
- `given` has the bars: the S&P file of `--data`, or simulated bars of its size; and factors of Alpha158.
- `fresh` runs one turn in a new process: a first run, and then some that are timed.
- `ours`, `qweave` and `alphalens` say what is timed of each.

Nothing is asserted about times: ratios and limits stand beside each other.
"""
