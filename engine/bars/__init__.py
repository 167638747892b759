"""Bars: reading and checking them, their order by symbol and by date, and which of them are selected."""
