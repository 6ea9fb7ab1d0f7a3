"""How many offsets were polled and are not yet committed."""

from moderator.events import DecidedSpan, Partition, PartitionSpan, PolledSpan
from moderator.stream.kafka.consuming.in_flight import InFlight
from tests.builders import a_record

FIRST, OTHER = Partition("chat.events", 0), Partition("chat.events", 1)


def a_batch(start: int, end: int, partition: Partition = FIRST) -> PolledSpan:
    return PartitionSpan(partition, 1, end, [a_record(offset=offset) for offset in range(start, end)])


def a_span(next_offset: int, partition: Partition = FIRST) -> DecidedSpan:
    return PartitionSpan(partition, 1, next_offset, [])


def test_what_was_polled_is_in_flight_until_it_is_committed() -> None:
    in_flight = InFlight()
    in_flight.begin(FIRST, 990)
    in_flight.begin(OTHER, 7)

    in_flight.polled(a_batch(990, 1_000))
    in_flight.polled(a_batch(1_000, 1_005))
    in_flight.polled(a_batch(7, 8, OTHER))
    before = in_flight.count(FIRST)
    in_flight.committed([a_span(1_000)])

    assert before == 15
    assert in_flight.count(FIRST) == 5
    assert in_flight.count(OTHER) == 1


def test_a_partition_that_was_given_up_starts_from_zero() -> None:
    in_flight = InFlight()
    in_flight.begin(FIRST, 0)
    in_flight.polled(a_batch(0, 10))

    in_flight.forget(FIRST)
    forgotten = in_flight.count(FIRST)
    in_flight.begin(FIRST, 40)
    in_flight.polled(a_batch(40, 41))

    assert forgotten == 0
    assert in_flight.count(FIRST) == 1


def test_what_the_client_has_read_beyond_all_that_was_polled_and_committed_is_passed() -> None:
    in_flight = InFlight()
    unknown = in_flight.is_passed(FIRST, 10)
    in_flight.begin(FIRST, 10)
    at_the_position = in_flight.is_passed(FIRST, 10)
    in_flight.polled(a_batch(10, 12))
    while_in_flight = in_flight.is_passed(FIRST, 13)
    in_flight.committed([a_span(12)])

    assert (unknown, at_the_position, while_in_flight) == (False, False, False)
    assert in_flight.is_passed(FIRST, 13)
