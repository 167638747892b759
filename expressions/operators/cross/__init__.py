"""Operators across the symbols of one date, whole or within a category."""
