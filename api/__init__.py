"""The interfaces of Factorloom: the command line and the HTTP service.

- `verb/`: what both offer in the same form: `library.py`, `operator.py` and `scorecard.py` give tables;
- `http/`: `server.py` runs `app.py`, the Litestar application; `route.py` has its handlers, `schema.py` the requests
  and responses, `response.py` the formats of a response, `problem.py` errors as problem+json, `log.py` logs on stderr;
- `cli/`: `command.py` has the commands, `option.py` their shared options, `demo.py` the demo, `output.py` the output
  formats and files.
"""
