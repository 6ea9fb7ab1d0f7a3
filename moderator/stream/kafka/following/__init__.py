"""Topics read from some time on, without an end, outside of any group."""
