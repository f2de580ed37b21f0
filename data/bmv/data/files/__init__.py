"""Bytes at rest: paths, Parquet and its pages, hashes, and files that are whole or not there."""
