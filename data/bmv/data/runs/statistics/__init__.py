"""What a run's tables say of its trading."""
