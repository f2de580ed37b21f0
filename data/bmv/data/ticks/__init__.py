"""Ticks at rest: their schema and quality, the lake, importers, checks and made-up markets."""
