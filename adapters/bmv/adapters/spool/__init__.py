"""Ticks on their way to a store: never in the way of who records them, never lost without a word."""
