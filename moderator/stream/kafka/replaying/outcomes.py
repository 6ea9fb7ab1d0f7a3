"""Decisions and dead letters of a replay: all to one topic, marked, so that nobody takes them for live traffic's."""

import time

from moderator.events import Record
from moderator.settings import KafkaSettings
from moderator.stream.dead_letter import Headers, replay_marks
from moderator.stream.kafka.producing.sender import OutcomeSender
from moderator.stream.kafka.replaying.run import Writing


def write_outcomes(settings: KafkaSettings, *, run_id: str, options: str, topic: str, limit_bytes: int) -> Writing:
    """Say how a run writes its outcomes.

    Args:
        settings: the group that signs them.
        run_id: of the replay.
        options: see `Writing`.
        topic: where all go.
        limit_bytes: the largest record that the topic accepts.
    """
    outputs = dict.fromkeys(("flag_topic", "allow_topic", "dead_letter_topic"), topic)
    sender = OutcomeSender(
        settings.model_copy(update=outputs),
        {topic: limit_bytes},
        time.time,
        source=f"/moderator/{settings.group_id}/replay",
        mark=lambda record: _marks(run_id, record),
    )
    return Writing(run_id, options, topic, limit_bytes, sender, sender.reject_oversized)


def _marks(run_id: str, record: Record) -> Headers:
    return replay_marks(run_id, f"{record.topic}/{record.partition}/{record.offset}")
