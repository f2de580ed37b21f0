"""Transactions on their way: signed bytes that are sent until the chain shows what became of them."""
