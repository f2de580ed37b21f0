"""Ticks at rest in Parquet, read in batches."""
