"""Runs over a range of a topic that write exactly once and can be continued."""
