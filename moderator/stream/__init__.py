"""Records in and out: the codec, JSON lines, and Kafka."""
