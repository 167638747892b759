"""Scores as weights, and weights as a backtest: what a portfolio would hold, and what it would have earned."""
