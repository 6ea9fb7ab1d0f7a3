"""What is handed to the producer, and which decisions no topic takes."""

from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from moderator.events import DeadLetter, EncodedDecision, Partition, PartitionSpan, Record
from moderator.settings import KafkaSettings
from moderator.stream.kafka.producing.sender import SENT_AT_A_TIME, OutcomeSender
from tests.builders import a_record, an_encoded_decision

SETTINGS = KafkaSettings()
OUTPUTS = (SETTINGS.flag_topic, SETTINGS.allow_topic, SETTINGS.dead_letter_topic)
ROOMY = 1_000_000


class RecordingProducer:
    """Topics of three partitions that take everything, without a transaction."""

    _transaction_manager = None

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes | None, list[tuple[str, bytes]]]] = []
        self._accumulator = self

    def partitions_for(self, topic: str) -> set[int]:
        return {0, 1, 2}

    def send(self, topic: str, value: bytes, key: bytes | None, headers: list[tuple[str, bytes]], _: int) -> None:
        self.sent.append((topic, value, key, headers))

    def append(
        self,
        partition: TopicPartition,
        _: int | None,
        key: bytes | None,
        value: bytes,
        headers: list[tuple[str, bytes]],
    ) -> tuple[None, bool, bool, bool]:
        self.send(partition.topic, value, key, headers, partition.partition)
        return None, False, False, False


def a_sender(limit_bytes: int = ROOMY) -> OutcomeSender:
    return OutcomeSender(SETTINGS, dict.fromkeys(OUTPUTS, limit_bytes), lambda: 1_790_000_000.0)


def test_threads_in_a_hurry_go_first_every_few_records() -> None:
    producer = RecordingProducer()
    sent_when_asked: list[int] = []
    sender = OutcomeSender(
        SETTINGS,
        dict.fromkeys(OUTPUTS, ROOMY),
        lambda: 1_790_000_000.0,
        give_way=lambda: sent_when_asked.append(len(producer.sent)),
    )
    items: list[tuple[Record, EncodedDecision | DeadLetter]] = [
        (a_record(offset=number), an_encoded_decision()) for number in range(SENT_AT_A_TIME)
    ]
    spans = [PartitionSpan(Partition("chat.events", number), 1, 1, items) for number in range(2)]

    sender(producer, spans)

    assert sent_when_asked == [0, SENT_AT_A_TIME]
    assert len(producer.sent) == 2 * SENT_AT_A_TIME


def headers_of(record: Record, decision: EncodedDecision) -> dict[str, bytes]:
    producer = RecordingProducer()
    a_sender()(producer, [PartitionSpan(Partition("chat.events", 0), 1, 1, [(record, decision)])])
    [(_, _, _, headers)] = producer.sent
    return dict(headers)


def needed_bytes(record: Record, decision: EncodedDecision) -> int:
    """Ask a topic that is too small."""
    refused = a_sender(1).reject_oversized(record, decision)
    assert refused
    return int(refused.error.split()[3])


@pytest.mark.parametrize(("value_bytes", "key_bytes"), [(10_000, 3), (10, 9_993)])
def test_a_decision_that_just_fits_its_topic_is_taken_and_one_byte_more_is_not(
    value_bytes: int, key_bytes: int
) -> None:
    record, decision = a_record(key=b"k" * key_bytes), an_encoded_decision(value=b"x" * value_bytes)
    exact = needed_bytes(record, decision)

    taken, refused = (a_sender(limit_bytes).reject_oversized(record, decision) for limit_bytes in (exact, exact - 1))

    assert exact > 10_003  # headers count too
    assert taken is None
    assert refused
    assert refused.reason == "too_large"
    assert refused.error == f"its decision has {exact} bytes, topic `{SETTINGS.allow_topic}` takes {exact - 1}"


def test_a_trace_goes_on_from_event_to_decision() -> None:
    longest = b"x" * 512

    assert headers_of(a_record(headers=[("traceparent", longest)]), an_encoded_decision())["traceparent"] == longest


@pytest.mark.parametrize("traceparent", [b"x" * 513, b"", None])
def test_what_cannot_be_a_trace_is_left_behind(traceparent: Any) -> None:
    headers = headers_of(a_record(headers=[("traceparent", traceparent)]), an_encoded_decision())

    assert "traceparent" not in headers


def test_an_output_topic_that_is_gone_is_named_with_the_way_to_make_it() -> None:
    class LacksAFlagTopic(RecordingProducer):
        def partitions_for(self, topic: str) -> set[int]:
            if topic == SETTINGS.flag_topic:
                raise KafkaTimeoutError("no metadata")
            return super().partitions_for(topic)

    with pytest.raises(KafkaTimeoutError, match=r"`moderation\.flag`.*no metadata.*`moderator topics create`"):
        a_sender()(LacksAFlagTopic(), [])


def test_flags_say_what_is_to_be_done_and_allows_do_not_case_30() -> None:
    """The number is that of the acceptance list of the policy language's second part."""
    held = an_encoded_decision(verdict="flag", severity="low", action="hold", queues=["newcomers", "spam"])

    headers, others = headers_of(a_record(), held), headers_of(a_record(), an_encoded_decision())

    assert (headers["action"], headers["queues"]) == (b"hold", b"newcomers,spam")
    assert others.keys() & {"action", "queues"} == set()
