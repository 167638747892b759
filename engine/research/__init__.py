"""What factors are worth, and what they make of a date: labels, evaluation, health, report; score models and scores."""
