"""Markets made up: from a seed, or as hard as a recorded one."""
