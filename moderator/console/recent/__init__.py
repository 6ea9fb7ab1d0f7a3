"""The newest decisions and dead letters, held in memory."""
