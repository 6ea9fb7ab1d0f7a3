"""Kafka and Redis on loopback; the tests use them too."""
