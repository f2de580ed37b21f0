"""A sweep shown: its page, its tables, its progress."""
