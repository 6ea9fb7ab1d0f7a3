"""Sequence classifiers and guards."""
