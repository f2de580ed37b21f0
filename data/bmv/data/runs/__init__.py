"""A run at rest: its folder and tables, and the numbers and words in it."""
