"""The review queue, and where labels are written."""
