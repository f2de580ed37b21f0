"""OpenBook version 1 played without its program: instruction bytes in, account bytes, logs and errors out."""
