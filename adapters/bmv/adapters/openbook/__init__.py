"""OpenBook, versions 1 and 2: codecs of accounts, instructions and logs, without I/O."""
