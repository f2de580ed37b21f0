"""Prices from elsewhere: what other venues quote, judged and made into one reference price, or into none."""
