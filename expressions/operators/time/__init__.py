"""Operators along the bars of one symbol."""
