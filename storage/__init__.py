"""Keep bars, values of factors and scores in a folder that many processes share.

    open_store(path)            store         the public interface, with dated, saving, insight and upkeep
        |                       backing       what all parts share: folder, catalogues, open files, views of datasets
        |
        +- folder, lock         files that are written whole; the lock of whoever publishes
        +- catalog, publish     tables of the catalogue; the next catalogue is a changed copy of the newest
        +- segment, footer      immutable Parquet files, compared with their digests
        +- view, digest         a dataset in one version; what its days hold, as digests
        +- reader, keys         its bars, and where those of a symbol are
        |
        +- load                 dataset       checks and merges bars, makes a version
        |                       pieces        cuts bars into segments of whole days
        |                       upsert        merges rows
        |                       tables, table, attribute     attributes and universes, valid from one day to another
        |
        +- compute, scan        calculator    finds what is at hand, computes the rest
        |                       entry         values at hand, and what they depend on
        |                       refresh, change     computes again what a restatement reaches
        |                       gather        selects bars and collects their values
        |                       write, merge  keeps values, and merges small files
        |                       selections, tier    values in memory, by what they depend on, within limits
        |                       universe      cross-sections of members alone
        |
        +- score                scores        the files of scores
        +- sql                  relation      the views, as text
        |                       published     the views of a published catalogue
        |                       query         one read-only statement, without files
        |                       runs          the log
        +- upkeep               drop, compact, backup, checkup

A version never changes. What dies on the way leaves the catalogue before.
"""
