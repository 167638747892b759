"""From factors to a plan: the passes, one file each, what a plan reads, and the plan as text."""
