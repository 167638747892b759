"""How fast it is, beside its peers.

`factorloom bench engine` times factor sets and operators on a simulated market. Told once, from the outside in:

- `cli` reads the options; `table` prints the report, and `--output` keeps it as JSON.
- `engine` lists the jobs: every set with every engine, every operator with Factorloom and Polars, Factorloom at other
  sizes, and fresh processes with and without compiled kernels.
- `job` runs one of them in a process of its own, with as many processors as threads were asked for. It makes the
  market, hands it to the engine, runs once (`first`: what is compiled or cached later is part of it) and then some
  times more (`warm`: the median). The process's peak of memory is read before values are compared.
- `peer` holds the engines, ours among them, each in one small module with the same interface. A peer that is not
  installed is reported, not an error: `pip install 'factorloom[peers]'` brings them.
- `sets` writes the factors as text; `market` makes bars; `agreement` compares values; `machine` says what it ran on.

What counts is the ratio within one run: absolute times differ between machines, and between hours on one machine.
"""
