"""What a factor is: nodes, operators, the text form, and the libraries of named factors.

From the ground up, each importing only what stands before it:

- `errors.py`: the one family of errors; `axis.py`, `parameter.py` and `form.py`: what operators are described with;
- `registry.py`: every operator by name, as far as nodes need to know it; `render.py`: nodes as text;
- `factor.py` and `operator.py`: the node, and what makes it;
- `frozen.py`, `indicator.py`, `trial.py` and `declaration.py`: operators that users write as a plain loop;
- `operators/`: every operator, one paragraph each, by axis, above the loops that several share;
- `column.py`: ready columns such as `close`; `parse.py`: text to factors; `reference.py`: the page of operators;
- `library/`: named factors from the literature.

Nothing here runs anything: that is the engine's work.
"""
