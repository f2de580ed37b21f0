"""The lake as a store of ticks that arrive."""
