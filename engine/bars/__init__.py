"""Bars: the one way in for data, their order by symbol and by date, and which of them are selected.

source, csv     files, folders and frames of other libraries, not yet interpreted
wide            tables with a column for each symbol
name            which column is which
key             symbols and dates
number          numbers and text
shown           what errors show of columns
read            all of these as sorted bars, and bars that join others
quality         checks and report
selection       the bars of some dates and symbols
bars, layout    bars as arrays; category, sort, order: codes of text, and the two orders of rows
market          a simulated market for examples and tests
"""
