"""A market looked at: accounts of one moment in, what the market is and what is wrong with it out, without I/O."""
