"""How one trial is run, and how many are."""
