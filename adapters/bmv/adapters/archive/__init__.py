"""Archives of ticks that others publish."""
