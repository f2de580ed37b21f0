"""What is tried: the space of values, who proposes, objectives, the record and the ranking of trials."""
