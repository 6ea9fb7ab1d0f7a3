"""Who may use the console: tokens, sessions, the origin of a request."""
