"""Loops that several operators share: sums over windows, bounds, regressions, sorting, sums over a cross-section."""
