"""Operators on the bar's own values."""
