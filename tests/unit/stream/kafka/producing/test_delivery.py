"""What counts as delivered, which failures another attempt may overcome, and which are permanent."""

import pytest
from kafka.errors import (
    ClusterAuthorizationFailedError,
    CommitFailedError,
    FencedInstanceIdError,
    GroupAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)
from kafka.future import Future

from moderator.errors import FencedError, StoppedError
from moderator.stream.kafka.producing.delivery import deliver, stop_if_permanent


class FlushedProducer:
    """A flush that returns; only the futures know whether the records arrived."""

    def flush(self, timeout: float) -> None:
        assert timeout == 3.0


def test_records_that_have_arrived_are_delivered() -> None:
    deliver(FlushedProducer(), [Future().success("arrived"), Future().success("arrived")], 3.0)


def test_a_record_that_was_refused_is_raised() -> None:
    futures = [Future().success("arrived"), Future().failure(NotEnoughReplicasError())]

    with pytest.raises(NotEnoughReplicasError):
        deliver(FlushedProducer(), futures, 3.0)


def test_a_record_without_an_answer_is_not_delivered() -> None:
    with pytest.raises(KafkaTimeoutError, match="not delivered within 3 s"):
        deliver(FlushedProducer(), [Future().success("arrived"), Future()], 3.0)


@pytest.mark.parametrize(
    "kind",
    [
        MessageSizeTooLargeError,
        RecordListTooLargeError,
        TopicAuthorizationFailedError,
        GroupAuthorizationFailedError,
        TransactionalIdAuthorizationFailedError,
        ClusterAuthorizationFailedError,
    ],
)
def test_what_kafka_will_never_take_ends_the_process(kind: type[KafkaError]) -> None:
    with pytest.raises(StoppedError, match=rf"Kafka will never take .*{kind.__name__}.*nothing was committed"):
        stop_if_permanent(kind())


def test_another_process_with_our_instance_id_ends_this_one() -> None:
    with pytest.raises(FencedError, match="MODERATOR_KAFKA__INSTANCE_ID"):
        stop_if_permanent(FencedInstanceIdError())


@pytest.mark.parametrize("kind", [CommitFailedError, KafkaTimeoutError, NotEnoughReplicasError, KafkaError])
def test_what_another_attempt_may_overcome_is_not_raised(kind: type[KafkaError]) -> None:
    stop_if_permanent(kind())
