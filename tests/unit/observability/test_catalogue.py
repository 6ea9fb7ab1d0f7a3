"""What metrics are made of."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from moderator.observability.catalogue import Catalogue


def test_a_histogram_counts_many_values_as_it_would_one_by_one() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    values = [0.0, 0.1, 0.10001, 1.0, 5.0, 5.1, 1e9]

    Catalogue(ours).histogram("seconds", "Time.", (0.1, 1.0, 5.0)).observe_many(values)
    one_by_one = Histogram("seconds", "Time.", registry=theirs, buckets=(0.1, 1.0, 5.0))
    for value in values:
        one_by_one.observe(value)

    assert generate_latest(ours) == generate_latest(theirs)


def test_a_histogram_that_gets_no_values_stays_as_it_was() -> None:
    registry = CollectorRegistry()

    Catalogue(registry).histogram("seconds", "Time.", (0.1,)).observe_many([])

    assert registry.get_sample_value("seconds_count") == 0


def test_a_counter_that_is_kept_elsewhere_is_read_at_each_scrape() -> None:
    registry = CollectorRegistry()
    counter = Catalogue(registry).read_counter("texts_total", "Texts.")
    before = registry.get_sample_value("texts_total")
    values = iter([3, 7])

    counter.set_function(lambda: next(values))

    assert before == 0
    assert [registry.get_sample_value("texts_total") for _ in range(2)] == [3, 7]


def test_known_labels_are_there_with_0_at_the_first_scrape() -> None:
    registry = CollectorRegistry()

    Catalogue(registry).counter("calls_total", "Calls.", zeros=[("a",), ("b",)], cache="`a`, `b`")

    assert [registry.get_sample_value("calls_total", {"cache": cache}) for cache in "abc"] == [0, 0, None]
