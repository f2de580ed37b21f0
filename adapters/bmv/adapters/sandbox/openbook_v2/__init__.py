"""What stands in for the program of OpenBook v2: the genuine instruction's bytes in, the genuine accounts' bytes out.

Facts: openbook-dex/openbook-v2, tag v1.7 (796a470), and master as of April 2024 (6faca8d), with Anchor 0.28 and 0.29.
"""
