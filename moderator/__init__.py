"""Content moderation as a stream: chat events in, explained decisions out."""
