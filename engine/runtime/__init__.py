"""What a computation stands on: compiled loops, threads, memory, and how it tells of its progress."""
