"""Makes metrics and records what they mean, for the table of the documentation."""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, disable_created_metrics
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]  # a `_created` series for each counter doubles what a scrape holds, and nobody asks for it

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """What the table of metrics says about one; `labels` maps each label to the values it takes."""

    name: str
    kind: str
    meaning: str
    labels: dict[str, str]


class ManyHistogram(Histogram):
    """A histogram that takes the values of a whole window at once, in a fraction of the time."""

    def observe_many(self, values: Sequence[float]) -> None:
        """Observe every value."""
        for place, times in Tally(map(partial(bisect_left, self._upper_bounds), values)).items():
            self._buckets[place].inc(times)
        self._sum.inc(sum(values))


class ReadCounter(Collector):
    """A counter that somebody else keeps: it is read at each scrape, and 0 until `set_function`."""

    def __init__(self, name: str, meaning: str) -> None:
        self._name = name
        self._meaning = meaning
        self._read: Callable[[], float] = float

    def set_function(self, read: Callable[[], float]) -> None:
        """Name where the value is; what is read there only grows."""
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Give the present value."""
        yield CounterMetricFamily(self._name, self._meaning, value=self._read())


class Catalogue:
    """Makes the metrics of one registry.

    Attributes:
        definitions: of each metric made, in order.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.definitions: list[Definition] = []

    def counter(self, name: str, meaning: str, /, *, zeros: Iterable[Labels] = (), **labels: str) -> Counter:
        """Make a counter; the series of `zeros` are there with 0 from the first scrape on."""
        self._define(name, "counter", meaning, labels)
        counter = Counter(name, meaning, tuple(labels), registry=self._registry)
        for values in zeros:
            counter.labels(*values)
        return counter

    def read_counter(self, name: str, meaning: str, /) -> ReadCounter:
        """Make a counter whose value is kept elsewhere."""
        self._define(name, "counter", meaning, {})
        counter = ReadCounter(name, meaning)
        self._registry.register(counter)
        return counter

    def gauge(self, name: str, meaning: str, /, *, is_absent: bool = False, **labels: str) -> Gauge:
        """Make a gauge; one that `is_absent` is shown once it is registered."""
        self._define(name, "gauge", meaning, labels)
        return Gauge(name, meaning, tuple(labels), registry=None if is_absent else self._registry)

    def histogram(self, name: str, meaning: str, buckets: tuple[float, ...], /, **labels: str) -> ManyHistogram:
        """Make a histogram; `buckets` are upper bounds, rising."""
        self._define(name, "histogram", meaning, labels)
        return ManyHistogram(name, meaning, tuple(labels), registry=self._registry, buckets=buckets)

    def _define(self, name: str, kind: str, meaning: str, labels: dict[str, str]) -> None:
        self.definitions.append(Definition(name, kind, meaning, labels))
