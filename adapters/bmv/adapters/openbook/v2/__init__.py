"""OpenBook v2: accounts, instructions, logs and returned values, both ways, without I/O.

Facts: openbook-dex/openbook-v2, tag v1.7 (796a470) and master (43ef02e). The field names are the program's own.
"""
