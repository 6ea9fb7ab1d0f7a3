"""Commands that judge past events again: `moderator replay` and `moderator dead-letters`."""
