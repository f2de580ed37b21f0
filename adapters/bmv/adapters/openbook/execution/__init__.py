"""Orders at the venue: intents in, transactions out, and what the final chain shows of them back as events.

The way of a batch: `orders` knows each order and what is wanted of it, `planning` makes transactions, `policy` lets
them be signed, `ledger` keeps them, the courier carries them; `reading` looks at the final chain, and `orders` says
what that means. `executor` does it all in turn.
"""
