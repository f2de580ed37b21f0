"""The lake: one file a market and day, and the ticks that arrive beside it."""
