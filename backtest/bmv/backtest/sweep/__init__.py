"""Many sets of parameters over the same tapes, and an honest word about the best of them."""
