"""`python -m factorloom.bench` is `factorloom bench`."""

import sys

from factorloom.api.cli.command import main

if __name__ == "__main__":
    main(["bench", *sys.argv[1:]])
