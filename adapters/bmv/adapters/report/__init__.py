"""A run shown: pages, tables on a terminal, figures."""
