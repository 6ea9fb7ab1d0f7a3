"""The practice model: its checkpoint and its card."""
