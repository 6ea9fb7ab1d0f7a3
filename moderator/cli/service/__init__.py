"""Commands that work until a signal: `moderator run` and `moderator serve`."""
