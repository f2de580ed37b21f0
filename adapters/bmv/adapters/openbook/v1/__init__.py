"""OpenBook version 1: its accounts, instructions, events and logs as bytes and as values."""
