"""Journals at rest in one SQLite file."""
