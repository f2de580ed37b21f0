"""A batch of intents becomes transactions: what to crank, cancel, place and settle, and how it is cut."""
