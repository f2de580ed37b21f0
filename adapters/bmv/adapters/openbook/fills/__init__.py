"""Our own fills on a market, each once, from what the chain shows; and whether any is missing."""
