"""`moderator demo`: Kafka, Redis and moderator on this machine, with sample events."""
