"""What may be signed: a transaction is taken apart, and whatever the configuration does not imply is refused.

The way of a message: `message` takes it apart, `fees` reads what it pays, `venue_v1`, `venue_v2` and `money` look at
each instruction, `orders` at what it places, `policy` at what they demand together. `guard` signs what was approved.
"""
