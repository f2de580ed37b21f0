"""What trials run over: one read-only tape, its stretches, several markets."""
