"""What really happened in a run, written down as it happens, and the tables that are made of it; of any world."""
