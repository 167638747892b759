"""Loops of an evaluation, compiled when first used."""
