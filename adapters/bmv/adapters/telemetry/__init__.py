"""What a running session tells machines: logs, metrics, whether it is well, and the system that started it."""
