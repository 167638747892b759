"""The Numba machine: a stage's whole program on one tile of bars after another, tiles on threads."""
