"""What is made of what was seen: pure functions from findings to lines, without I/O."""
