"""Benchmarks: Factorloom timed together with other engines.

`factorloom bench engine` times factor sets and operators on simulated bars:

- `cli` reads the options, `table` prints the report, and `--output` writes it as JSON.
- `engine` lists the jobs: each set with each engine, each operator with Factorloom and Polars, Factorloom on workloads
  of other sizes, and new processes with and without compiled kernels.
- `job` runs one job in its own process, limited to as many processors as it has threads. It simulates the bars, loads
  them into the engine, computes once (`first`, which includes compiling and caching) and then several times more
  (`warm`, the median). It reads the peak memory, and then compares values with Factorloom's.
- `peer` has one small module per engine, Factorloom included, all with the same interface. An engine that is not
  installed is reported, which is not an error. `pip install 'factorloom[peers]'` installs them.
- `sets` defines the factors, `workload` simulates bars, `agreement` compares values, and `machine` describes the
  hardware and the versions.

`factorloom bench store` times a store on the same bars (`store`).

`factorloom bench evaluate` times evaluations of factors beside other libraries (`evaluate`).

`factorloom bench differences` writes a page on factors for which engines give different values (`difference`).

Compare ratios within one run: absolute times differ between machines, and over time on one machine.
"""
