"""What runs a plan: one protocol, and the executors behind it."""
