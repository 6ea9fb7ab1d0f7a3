"""Everything that talks to Kafka; with `demo` the only package that imports its client."""
