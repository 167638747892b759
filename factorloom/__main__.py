"""`python -m factorloom` is the command line."""

from factorloom.api.cli.command import main

if __name__ == "__main__":
    main()
