"""What is made of factors: score models, and scores."""
