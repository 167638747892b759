"""Loops that several operators share: blocks and short windows, sorting, sums of a cross-section."""
