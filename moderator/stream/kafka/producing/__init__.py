"""The producer: decisions, dead letters and positions in one transaction."""
