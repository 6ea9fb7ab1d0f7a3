"""The values of the language and what they mean; pure."""
