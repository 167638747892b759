"""Checks and strategies for users who test their own factors and indicators; reached as `factorloom.testing`.

bars        bars as markets make them, with all that goes wrong there
promise     what is promised of every factor, one function each
reduce      the smallest bars on which a promise is broken, as code
check       check_factor, check_factors, check_indicator
mark        a pytest mark that makes one test of each factor
strategies  Hypothesis strategies: panels, factors, calls of operators
"""
