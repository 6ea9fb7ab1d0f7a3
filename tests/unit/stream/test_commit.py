"""Which failures of a publication another attempt may mend, and which it never will."""

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

from moderator.errors import StoppedError, TwinError
from moderator.stream.commit import stop_if_hopeless


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
        stop_if_hopeless(kind())


def test_a_twin_ends_the_process() -> None:
    with pytest.raises(TwinError, match="MODERATOR_KAFKA__INSTANCE_ID"):
        stop_if_hopeless(FencedInstanceIdError())


@pytest.mark.parametrize("kind", [CommitFailedError, KafkaTimeoutError, NotEnoughReplicasError, KafkaError])
def test_what_another_attempt_may_mend_is_let_pass(kind: type[KafkaError]) -> None:
    stop_if_hopeless(kind())
