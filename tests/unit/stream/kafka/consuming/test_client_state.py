"""The question for the group's positions says why it was not answered."""

from collections.abc import Callable

import pytest
from kafka import TopicPartition
from kafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
    UnstableOffsetCommitError,
)
from kafka.structs import OffsetAndMetadata

from moderator.stream.kafka.consuming.client_state import committed
from tests.unit.stream.kafka.scripted_consumer import Committed, Coordinator

PARTITION = TopicPartition("chat.events", 0)
FOUND = {PARTITION: OffsetAndMetadata(7, "", 4)}


class Consumer:
    """One whose group's coordinator gives these answers, the last one again and again."""

    def __init__(self, *answers: KafkaError | Committed) -> None:
        self.answers = list(answers)
        self._coordinator = Coordinator(self._answer)
        self._net = self._coordinator._manager
        self.asked = 0

    def _answer(self, _: list[TopicPartition]) -> Committed:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, KafkaError):
            raise answer
        return answer

    def finds_no_coordinator(self) -> "Consumer":
        self._coordinator.is_known = False
        return self


def test_it_is_asked_again_until_a_transaction_has_ended() -> None:
    consumer = Consumer(NotCoordinatorError(), UnstableOffsetCommitError(), FOUND)

    assert committed(consumer, [PARTITION], timeout_s=60) == FOUND
    assert consumer.asked == 3


@pytest.mark.parametrize(
    ("consumer", "kind", "words"),
    [
        (lambda: Consumer(UnstableOffsetCommitError()), UnstableOffsetCommitError, "UnstableOffsetCommitError"),
        (lambda: Consumer(GroupAuthorizationFailedError("ours")), GroupAuthorizationFailedError, "ours"),
        (lambda: Consumer(KafkaTimeoutError()), KafkaTimeoutError, r"coordinator gave no answer within 0\.05 s"),
        (lambda: Consumer().finds_no_coordinator(), KafkaTimeoutError, r"no coordinator .* was found within 0\.05 s"),
    ],
    ids=["hidden by a transaction", "not allowed", "no answer", "no coordinator"],
)
def test_the_error_says_what_the_coordinator_answered_last(
    consumer: Callable[[], Consumer], kind: type[KafkaError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        committed(consumer(), [PARTITION], timeout_s=0.05)
