"""Whether the best of many trials is skill or luck."""
