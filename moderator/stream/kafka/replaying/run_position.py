"""A run's position in a partition, as it is written down: where the run goes on, where it ends, for which options."""

import json
from typing import NamedTuple, Self

from kafka.structs import OffsetAndMetadata

from moderator.stream.kafka.consuming.position import read_metadata

_VERSION = 1


class RunPosition(NamedTuple):
    """The offset to read next, and what was fixed when the run began.

    Attributes:
        end: the offset after the last one that belongs to the run.
        options: a hash of what selects, judges and writes.
        topic_id: which topic of that name is read.
    """

    offset: int
    end: int
    options: str
    topic_id: str | None

    def written(self, leader_epoch: int = -1) -> OffsetAndMetadata:
        """Give what Kafka stores."""
        metadata = {"v": _VERSION, "topic": self.topic_id, "end": self.end, "options": self.options}
        return OffsetAndMetadata(self.offset, json.dumps(metadata, separators=(",", ":")), leader_epoch)

    @classmethod
    def read(cls, stored: OffsetAndMetadata) -> Self | None:
        """Read what Kafka stored; None where it is no run's position."""
        metadata = read_metadata(stored.metadata)
        end, options, topic_id = (metadata.get(name) for name in ("end", "options", "topic"))
        if not isinstance(end, int) or isinstance(end, bool) or not isinstance(options, str):
            return None
        return cls(stored.offset, end, options, topic_id if isinstance(topic_id, str) else None)
