"""Policies and their rules: from nodes to `Policy` and `Rule`."""
