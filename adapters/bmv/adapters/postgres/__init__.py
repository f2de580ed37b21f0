"""Ticks and journals at rest in Postgres."""
