"""Recorded decisions judged again: how other policies would have decided."""
