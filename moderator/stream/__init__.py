"""Records in and out: the codec, Kafka, and JSON lines; the only package that imports Kafka's client."""
