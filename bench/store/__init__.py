"""`factorloom bench store`: what a store costs, and what it saves, on simulated bars with the factors of Alpha158.

- `options` says what to measure; `run` lists the parts and runs those that are chosen; `show` prints the report.
- `figure` has what a part gives: figures, each with what it is divided by and the limit it should keep.
- `market` simulates the bars, and fills a store that several parts start from. `fresh` measures in a new process.
- Parts: `storing`, `append`, `daily`, `restate`, `as_of`, `day`, `readers`, `large`. `arctic` is the turn of ArcticDB.

Nothing is asserted about times: ratios and limits stand beside each other.
"""
