"""How transactions come into blocks, as a model: whose turn it is, who bids against us, what is lost on the way."""
