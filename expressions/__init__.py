"""What a factor is: nodes, operators, the text form, and the libraries of named factors.

- `factor.py`: the node, the operator, the registry; `axis.py` and `parameter.py` are what they are described with;
- `operators/`: every operator, one paragraph each, one file per axis;
- `render.py` and `parse.py`: factors as text, there and back;
- `column.py`: ready columns such as `close`;
- `library/`: named factors from the literature;
- `errors.py`: the one family of errors.

Nothing here runs anything: that is the engine's work.
"""
