"""Policies while the process runs: which ones it starts with, and how edits of the folder replace them."""
