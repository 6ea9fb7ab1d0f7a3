"""Settings to running parts: the only package that names Kafka, Redis and models together."""
