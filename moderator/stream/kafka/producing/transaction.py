"""What we need of the client's transactions and it gives no public name.

The only file that reads the producer's private parts; kafka-python is pinned for that reason among others.
"""

from collections.abc import Iterable

from kafka import KafkaProducer, TopicPartition


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
