"""Where the console reads decisions from: Kafka or a file."""
