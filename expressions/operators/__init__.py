"""The operators, one file per axis. Each operator is one paragraph: signature, documentation, and its forms."""
