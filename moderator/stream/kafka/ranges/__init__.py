"""Parts of topics that end at a known offset, read outside of any group."""
