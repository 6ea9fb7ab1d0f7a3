"""What is concluded from the coordinators' answers, and which of them are asked for again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    TransactionalIdNotFoundError,
)

from moderator.stream.kafka.producing import last_end as module
from moderator.stream.kafka.producing.last_end import COMMIT, FORGOTTEN, LastEnd, last_end

FLAGS = TopicPartition("moderation.flag", 0)
Admin = Callable[..., "Coordinators"]


class Coordinators:
    """Both coordinators; each answers with its errors first, the last error for ever."""

    def __init__(self, state: str, of_group: list[KafkaError], of_id: list[KafkaError]) -> None:
        self._state = state
        self._of_group, self._of_id = of_group, of_id
        self.asked = 0

    def describe_groups(self, _: list[str]) -> None:
        self._answer(self._of_group)

    def describe_transactions(self, ids: list[str]) -> dict[str, SimpleNamespace]:
        self._answer(self._of_id)
        return {each: SimpleNamespace(state=self._state, topic_partitions={FLAGS}) for each in ids}

    def _answer(self, errors: list[KafkaError]) -> None:
        self.asked += 1
        if errors:
            raise errors[0] if len(errors) == 1 else errors.pop(0)


@pytest.fixture
def coordinators(monkeypatch: pytest.MonkeyPatch) -> Admin:
    def made(
        state: str = "Empty", of_group: list[KafkaError] | None = None, of_id: list[KafkaError] | None = None
    ) -> Coordinators:
        admin = Coordinators(state, of_group or [], of_id or [])

        @contextmanager
        def asking(_: object) -> Iterator[Coordinators]:
            yield admin

        monkeypatch.setattr(module, "asking", asking)
        return admin

    monkeypatch.setattr(module, "_ASK_AGAIN_AFTER_S", 0.0)
    monkeypatch.setattr(module, "_TRIED_FOR_S", 0.05)
    return made


@pytest.mark.parametrize(
    ("state", "concluded"),
    [
        ("Empty", FORGOTTEN),
        ("Dead", FORGOTTEN),
        ("Unknown", FORGOTTEN),
        ("Ongoing", LastEnd(is_commit=False, partitions={FLAGS})),
        ("PrepareAbort", LastEnd(is_commit=False, partitions={FLAGS})),
        ("PrepareEpochFence", LastEnd(is_commit=False, partitions=None)),
        ("CompleteAbort", LastEnd(is_commit=False, partitions=None)),
        ("PrepareCommit", COMMIT),
        ("CompleteCommit", COMMIT),
    ],
)
def test_each_state_says_how_the_last_transaction_ends(coordinators: Admin, state: str, concluded: LastEnd) -> None:
    coordinators(state)

    assert last_end({}, "group", "id") == concluded


@pytest.mark.parametrize("error", [TransactionalIdNotFoundError(), IncompatibleBrokerVersion()])
def test_an_unknown_id_and_a_broker_that_cannot_say_are_no_errors(coordinators: Admin, error: KafkaError) -> None:
    coordinators("CompleteCommit", of_id=[error])

    assert last_end({}, "group", "id") == FORGOTTEN


def test_a_coordinator_that_is_not_there_yet_is_asked_again(coordinators: Admin) -> None:
    coordinators("CompleteCommit", of_id=[CoordinatorNotAvailableError(), TransactionalIdNotFoundError()])

    assert last_end({}, "group", "id") == FORGOTTEN


def test_one_that_is_not_there_for_long_is_an_error(coordinators: Admin) -> None:
    coordinators("CompleteCommit", of_group=[CoordinatorLoadInProgressError()])

    with pytest.raises(CoordinatorLoadInProgressError):
        last_end({}, "group", "id")


def test_a_right_that_is_missing_is_an_error_at_once(coordinators: Admin) -> None:
    admin = coordinators("CompleteCommit", of_group=[GroupAuthorizationFailedError()])

    with pytest.raises(GroupAuthorizationFailedError):
        last_end({}, "group", "id")
    assert admin.asked == 1
