"""How long an event takes from `send` until a `read_committed` reader sees its decision, and the CPU that this costs.

`moderator run` with the practice model and the example policies, on a real broker, at fixed rates of short chat
messages. `--against PYTHON` runs the `moderator` of another environment in turn, so that both meet the same machine:
the ratio is ours over theirs, and below 1 is better. `floor` is what one event costs in a bare loop of Kafka's client:
one record and one position in a transaction, until a reader sees it. The last line is JSON.
"""

import argparse
import json
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from moderator.demo.examples import example_policies
from moderator.demo.replica import LocalReplica
from moderator.demo.samples import sample_events
from moderator.demo.servers.kafka import LocalKafka
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import producer_settings
from moderator.stream.kafka.topics import create_topics
from tests.kafka_stream import kafka_variables

PARTITIONS = 4
READY_S = 180.0
LAST_S = 60.0
FLOOR_RATE = 20.0
"""Transactions per second: none meets the end of the one before it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run at one rate: milliseconds per event, and CPU milliseconds of the replica per event."""

    latencies_ms: list[float]
    cpu_ms: float

    def quantile(self, percent: int) -> float:
        return quantile(self.latencies_ms, percent)


def quantile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


class Replica(LocalReplica):
    """`moderator run` of any environment."""

    def __init__(self, python: str, settings: dict[str, str]) -> None:
        super().__init__(settings)
        self._python = python
        if python != sys.executable:
            self._environment = {name: value for name, value in self._environment.items() if name != "PYTHONPATH"}

    def _start(self, command: Sequence[str]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - as the base class
        return super()._start([self._python, *command[1:]])

    @property
    def cpu_s(self) -> float:
        assert self._child is not None
        times = psutil.Process(self._child.pid).cpu_times()
        return times.user + times.system


def short_messages() -> list[str]:
    """The texts of the sample events' judged messages, short ones."""
    turns = (sample.event.conversation[-1] for sample in sample_events() if sample.event)
    return [turn.content for turn in turns if len(turn.content) < 200]


def measure(python: str, kafka: LocalKafka, policies: Path, rate: float, seconds: float) -> Run:
    settings = new_topics(kafka)
    run = settings.group_id
    variables = kafka_variables(settings)
    variables |= {"MODERATOR_MODEL__PATH": "builtin", "MODERATOR_POLICIES__PATH": str(policies)}
    with ExitStack() as stack:
        replica = stack.enter_context(Replica(python, variables))
        assert replica.await_ready(READY_S), replica.last_lines()
        send_at_rate(settings, rate, 2.0, f"{run}-warm", {})  # the first windows are slower
        seen: dict[str, float] = {}
        stack.enter_context(watching(settings, seen))
        sent: dict[str, float] = {}
        cpu_s = replica.cpu_s
        send_at_rate(settings, rate, seconds, run, sent)
        await_seen(sent, seen)
        cpu_s = replica.cpu_s - cpu_s
    return Run([(seen[name] - at) * 1_000 for name, at in sent.items()], cpu_s * 1_000 / len(sent))


def new_topics(kafka: LocalKafka) -> KafkaSettings:
    """Create topics and name a group, in settings that older versions know too."""
    run = uuid.uuid4().hex[:8]
    names = {name: f"{name}-{run}" for name in ("events_topic", "flag_topic", "allow_topic", "dead_letter_topic")}
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, group_id=run, **names)
    create_topics(settings, partitions=PARTITIONS, replication=1)
    return settings


def measure_floor(kafka: LocalKafka, rate: float, seconds: float) -> list[float]:
    """Milliseconds from the start of a transaction with one record and one position until the record is visible."""
    settings = new_topics(kafka)
    given = producer_settings("none", largest_record_bytes=2**20, smallest_batch_limit_bytes=2**20)
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=settings.group_id, **given)
    producer.init_transactions()
    group = ConsumerGroupMetadata(settings.group_id, -1, "", None)
    seen: dict[str, float] = {}
    sent: dict[str, float] = {}
    start_s = time.perf_counter()
    with closing(producer), watching(settings, seen):
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, start_s + number / rate - time.perf_counter()))
            sent[str(number)] = time.perf_counter()
            producer.begin_transaction()
            producer.send(settings.flag_topic, b"x" * 900, headers=[("ce_subject", b"%d" % number)], partition=0)
            producer.flush()
            position = {TopicPartition(settings.events_topic, 0): OffsetAndMetadata(number, "", -1)}
            producer.send_offsets_to_transaction(position, group)
            producer.commit_transaction()
        await_seen(sent, seen)
    return [(seen[name] - at) * 1_000 for name, at in sent.items()]


def await_seen(sent: dict[str, float], seen: dict[str, float]) -> None:
    until_s = time.monotonic() + LAST_S
    while not sent.keys() <= seen.keys():
        assert time.monotonic() < until_s, f"{len(sent.keys() - seen.keys())} decisions are missing"
        time.sleep(0.05)


def send_at_rate(settings: KafkaSettings, rate: float, seconds: float, name: str, sent: dict[str, float]) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, linger_ms=0)
    texts = short_messages()
    start_s = time.perf_counter()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, start_s + number / rate - time.perf_counter()))
        event_id = f"{name}-{number}"
        text = f"{texts[number % len(texts)]} {name} {number}"  # no two are equal: each is scored
        value = orjson.dumps({"id": event_id, "text": text})
        sent[event_id] = time.perf_counter()
        producer.send(settings.events_topic, value, partition=number % PARTITIONS)
    producer.close()


@contextmanager
def watching(settings: KafkaSettings, seen: dict[str, float]) -> Iterator[None]:
    """Note when each decision becomes visible."""
    topics = (settings.flag_topic, settings.allow_topic)
    reader = KafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, isolation_level="read_committed", fetch_max_wait_ms=20
    )
    partitions = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
    reader.assign(partitions)
    reader.seek_to_beginning(*partitions)
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            polled = reader.poll(20)
            at_s = time.perf_counter()
            for records in polled.values():
                for record in records:
                    seen.setdefault(dict(record.headers)["ce_subject"].decode(), at_s)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        reader.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="5,50,200", help="events per second, comma-separated")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", help="the Python of an environment with another version of moderator")
    parser.add_argument(
        "--policies", type=Path, default=example_policies(), help="a folder that both versions can read"
    )
    arguments = parser.parse_args()
    pythons = {"ours": sys.executable} | ({"theirs": arguments.against} if arguments.against else {})
    rates = [float(rate) for rate in arguments.rates.split(",")]
    runs: dict[tuple[float, str], list[Run]] = {}
    floor_ms: list[list[float]] = []
    with LocalKafka() as kafka:
        for number in range(arguments.rounds):
            floor_ms.append(measure_floor(kafka, FLOOR_RATE, arguments.seconds))
            print(f"round {number}, floor: {in_words(floor_ms[-1])}", flush=True)
            for rate in rates:
                for name, python in pythons.items():
                    run = measure(python, kafka, arguments.policies.absolute(), rate, arguments.seconds)
                    runs.setdefault((rate, name), []).append(run)
                    words = f"{in_words(run.latencies_ms)}, CPU {run.cpu_ms:.1f} ms an event"
                    print(f"round {number}, {rate:g}/s, {name}: {words}", flush=True)
    floor = {f"p{percent}_ms": [round(quantile(each, percent), 1) for each in floor_ms] for percent in (50, 95)}
    measured = [summary(rate, runs, pythons) for rate in rates]
    print(json.dumps({"benchmark": "latency", "floor": floor, "rates": measured}))


def in_words(latencies_ms: Sequence[float]) -> str:
    return f"p50 {quantile(latencies_ms, 50):.0f} ms, p95 {quantile(latencies_ms, 95):.0f} ms"


def summary(rate: float, runs: dict[tuple[float, str], list[Run]], names: dict[str, str]) -> dict[str, object]:
    figures = {
        name: {
            "p50_ms": [round(run.quantile(50), 1) for run in runs[rate, name]],
            "p95_ms": [round(run.quantile(95), 1) for run in runs[rate, name]],
            "cpu_ms": [round(run.cpu_ms, 2) for run in runs[rate, name]],
        }
        for name in names
    }
    if "theirs" not in names:
        return {"rate": rate, **figures}
    ratios = {
        key: round(
            statistics.median(a / b for a, b in zip(figures["ours"][key], figures["theirs"][key], strict=True)), 3
        )
        for key in figures["ours"]
    }
    return {"rate": rate, **figures, "ratio": ratios}


if __name__ == "__main__":
    main()
