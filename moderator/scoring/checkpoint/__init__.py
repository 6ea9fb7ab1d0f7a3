"""Checkpoints: which files they have, and how their weights, tokenizers and templates are read."""
