"""`bmv why`: where an order came from, and what became of it."""
