"""How Factorloom is reached: the command line and the HTTP service, two doors to the same verbs.

- `cli.py`: the commands, each a few lines over a store; `demo.py`: the first one that people run; `operator.py` and
  `scorecard.py`: operators and scores to read; `output.py`: data as a table, JSON, CSV, Parquet or Arrow;
- `server.py` runs `app.py`, the Litestar application; `route.py`: its handlers; `schema.py`: what requests and answers
  hold; `answer.py`: frames as JSON or Arrow, as the client accepts; `problem.py`: every error as problem+json;
- `log.py`: logs on stderr.
"""
