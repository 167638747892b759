"""What a computation stands on: compiled loops, threads, memory, and the observer that it reports to."""
