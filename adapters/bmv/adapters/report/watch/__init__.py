"""A market while it is watched: what its feed said, as a page and as JSON."""
