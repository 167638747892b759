"""What the command line and the service have in common."""
