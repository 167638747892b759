"""Where data lives: one DuckDB file that holds bars, cached factor columns and scores.

    open_store(path)             store       the user's verbs, each a few lines over the modules below
        |                        database    cursors to read, transactions to write
        |                        connection  opens the file safely, once per process
        |                        lock        keeps other processes out while it is open
        |                        catalog     what the store knows about itself, and the layout of its tables
        |                        journal     what was done, and how much of it came from the cache
        |                        sql         names and results in SQL
        |
        +- load                  reading     files and frames of every kind, read as they are
        |                        bars        columns named, numbers finite, repeated keys refused
        |                        key         symbols and dates, from whatever they were written in
        |                        attribute   text per symbol, such as its sector
        |                        upsert      new rows laid over stored ones
        |                        quality     the checks, and the report
        |                        dataset     the load as a whole; reading a panel back
        |
        +- panel, compute        selection   dates and symbols asked for
        |                        calculator  what is cached is read, the rest is computed together and kept
        |                        cache       factor columns by digest and dataset version
        |
        +- score                 score       the table of scores
        +- sql                   query       one reading statement

`market` simulates bars to try all of it on.

Every change is one transaction: a load that fails, or a process that dies, leaves the store as it was. A load
that changes something raises the version of its dataset; factor columns belong to a version, so none outlives
its bars.
"""
