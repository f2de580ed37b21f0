"""A market recorded while it lives: what a feed tells, held until it is final, and kept."""
