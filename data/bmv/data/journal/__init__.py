"""The rules of what is kept of trading: hash chain, an order's life, trade log. No I/O."""
