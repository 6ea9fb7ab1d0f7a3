"""Which output partition a record goes to: Kafka's own default by key, so a conversation's decisions keep order."""

from collections.abc import Mapping

from kafka.partitioner.default import murmur2

_CACHE_LIMIT = 100_000
_MASK = 0x7FFF_FFFF


class Partitioner:
    """Hashes each key once; the client's hash is slow.

    Args:
        counts: partitions by topic.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = counts
        self._hashes: dict[bytes, int] = {}

    def partition(self, topic: str, key: bytes | None, source_partition: int) -> int:
        """Give murmur2 of the key, or without a key the input's partition, modulo the topic's partitions."""
        if key is None:
            return source_partition % self.counts[topic]
        hashed = self._hashes.get(key)
        if hashed is None:
            if len(self._hashes) >= _CACHE_LIMIT:
                self._hashes.clear()
            hashed = self._hashes[key] = murmur2(key) & _MASK
        return hashed % self.counts[topic]
