"""What is looked at: endpoints, the market, the stores. Each look returns what was seen, and judges nothing."""
