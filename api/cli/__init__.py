"""The command line: data on stdout, logs and progress on stderr."""
