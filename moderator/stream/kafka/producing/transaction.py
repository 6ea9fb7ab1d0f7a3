"""What we need of the client's producer and it gives no public name.

The only file that reads the producer's private parts; kafka-python is pinned for that reason among others.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaTimeoutError, LeaderNotAvailableError
from kafka.future import Future
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

_NO_LEADER: Final = -1


class ConnectionWatch:
    """Notices that a connection of a producer has ended: its broker may have been away, also if it is back by now.

    The client closes idle ones too, after nine minutes; that cannot be told apart.
    """

    def __init__(self, producer: KafkaProducer) -> None:
        manager = producer._sender._client._manager  # noqa: SLF001 - see the file's head
        self._get = manager.get_connection
        self._watched: set[Any] = set()
        self.has_lost_one = False
        manager.get_connection = self._get_and_watch
        for connection in list(manager._conns.values()):  # noqa: SLF001
            self._watch(connection)

    def _get_and_watch(self, *args: Any, **options: Any) -> Any:
        connection = self._get(*args, **options)
        self._watch(connection)
        return connection

    def _watch(self, connection: Any) -> None:
        if connection not in self._watched:
            self._watched.add(connection)
            connection.close_future.add_both(lambda _: self._note_end(connection))

    def _note_end(self, connection: Any) -> None:
        if connection.init_future.succeeded():  # one that never stood, tells nothing new
            self.has_lost_one = True


def add_partitions(producer: KafkaProducer, partitions: Iterable[TopicPartition]) -> None:
    """Let one request add all these partitions to the transaction, before a record is sent to any.

    The client asks for a partition when its first record is sent, and the first record starts the asking: the
    partitions of the records after it then need a second request, and the records wait for both.

    Raises:
        KafkaError: the producer can send nothing.
    """
    transactions = producer._transaction_manager  # noqa: SLF001 - see the file's head
    if transactions is not None and transactions.is_transactional():
        for partition in partitions:
            transactions.maybe_add_partition_to_transaction(partition)


def begin_adding(producer: KafkaProducer, partitions: Iterable[TopicPartition]) -> Any:
    """Add partitions to a transaction without records, and do not wait for the answer: see `await_answer`.

    Raises:
        KafkaError: the transaction has failed.
    """
    transactions = producer._transaction_manager  # noqa: SLF001
    with transactions._lock:  # noqa: SLF001 - the client's thread would make a request of its own
        add_partitions(producer, partitions)
        adding = transactions._add_partitions_to_transaction_handler()  # noqa: SLF001
        transactions._enqueue_request(adding)  # noqa: SLF001
    producer._sender.wakeup()  # noqa: SLF001
    return adding.result


def partitions_of(producer: KafkaProducer) -> set[TopicPartition]:
    """Give those that were added to the transaction, or would be, whether or not the broker has answered."""
    transactions = producer._transaction_manager  # noqa: SLF001
    with transactions._lock:  # noqa: SLF001
        return {
            *transactions._new_partitions_in_transaction,  # noqa: SLF001
            *transactions._pending_partitions_in_transaction,  # noqa: SLF001
            *transactions._partitions_in_transaction,  # noqa: SLF001
        }


def require_leaders(producer: KafkaProducer, partitions: Iterable[TopicPartition]) -> None:
    """Check that each has a leader, by what the client was told last about its topic.

    Raises:
        LeaderNotAvailableError: one has none.
    """
    for partition in partitions:
        if producer._metadata.leader_for_partition(partition) in {None, _NO_LEADER}:  # noqa: SLF001
            raise LeaderNotAvailableError(f"topic `{partition.topic}` partition {partition.partition} has no leader")


def append(
    producer: KafkaProducer,
    partition: TopicPartition,
    value: bytes,
    key: bytes | None,
    headers: list[tuple[str, bytes]],
) -> Any:
    """Pass on one record that its topic accepts, for a partition that was added; give the future.

    The client's `send` checks again for each record what holds for all of them, which is nearly half of its time: that
    the transaction goes on and has the partition, that the topic is known, the types of all headers, and the size. A
    transaction that has failed meanwhile fails the futures.

    Raises:
        KafkaError: the producer is closed.
    """
    future, is_full, is_new, _ = producer._accumulator.append(partition, None, key, value, headers)  # noqa: SLF001
    if is_full or is_new:
        producer._sender.wakeup()  # noqa: SLF001
    return future


def begin_offsets(
    producer: KafkaProducer, offsets: Mapping[TopicPartition, OffsetAndMetadata], group: ConsumerGroupMetadata
) -> Any:
    """Add the positions to the transaction, and do not wait for the answer: see `await_answer`.

    The client sends one such request after the other, and records only once they are answered. Begun before the
    records are sent, the positions need no turn of our thread between the answers: a fifth of a small transaction.

    Raises:
        KafkaError: the transaction has failed.
    """
    begun = producer._transaction_manager.send_offsets_to_transaction(offsets, group)  # noqa: SLF001
    producer._sender.wakeup()  # noqa: SLF001
    return begun


def begin_end(producer: KafkaProducer, *, commits: bool) -> Any:
    """Commit or abort the transaction, and do not wait for the answer: see `await_answer`.

    Raises:
        KafkaError: the transaction has failed.
    """
    transactions = producer._transaction_manager  # noqa: SLF001
    begun = transactions.begin_commit() if commits else transactions.begin_abort()
    producer._sender.wakeup()  # noqa: SLF001
    return begun


def await_answer(begun: Any, deadline_s: float) -> None:
    """Wait until it is done. The client's own calls wait without an end: after a lost request, forever.

    Raises:
        KafkaError: it was refused, or there was no answer in time.
    """
    if not begun.wait(deadline_s * 1_000):
        raise KafkaTimeoutError(f"no answer within {deadline_s:g} s")


def give_up(producer: KafkaProducer) -> None:
    """Let it send nothing more, and its thread end.

    What it has begun and not sent it would else send once a broker that was away is back, also after our deadline, and
    so open a transaction that its successor ends by an abort. Its thread notices at the next turn, or when what it
    waits for has come: hence it is refused to send.
    """
    producer._sender._client.send = _refuse  # noqa: SLF001
    producer._sender.force_close()  # noqa: SLF001


def _refuse(*_request: object, **_options: object) -> Any:
    return Future().failure(KafkaConnectionError("this producer was given up"))
