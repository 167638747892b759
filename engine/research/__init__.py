"""Score models, and the scores of a date."""
