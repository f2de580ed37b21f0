"""Our accounts on a market: where they lie, what stands in them, and what makes and closes them."""
