"""Store bars, cached factor columns and scores in one DuckDB file.

    open_store(path)             store         the public interface
        |                        database      transactions for reading and writing
        |                        connection    one shared connection per file and process
        |                        duckdb_file   open, create and inspect the file
        |                        lock          keeps other processes out while the store is open
        |                        catalog       format, datasets and table definitions
        |                        journal       log of runs, cache counters
        |                        sql           quoted names, query results
        |
        +- load                  (engine.bars  reads, checks and selects)
        |                        attribute     text per symbol, such as its sector
        |                        upsert        merge new rows into stored ones
        |                        dataset       load a dataset, and read its panel
        |
        +- panel, compute        calculator    read cached factors, compute and cache the others
        |                        cache         factor columns by digest and dataset version
        |
        +- score                 stored_score  the tables of scores
        +- sql                   query         one read-only statement

Every change is one transaction: if a load fails or the process dies, the store is unchanged. A load that changes a
dataset raises its version. Cached factor columns belong to a version and are deleted with it.
"""
