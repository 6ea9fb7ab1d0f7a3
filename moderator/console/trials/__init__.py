"""Edits of policies tried on texts, recent decisions and ranges of time."""
