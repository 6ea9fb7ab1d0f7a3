"""Requests beside a saturated stream: how long they wait, and what the stream loses.

`moderator run` with the practice model and the example policies, on a real broker. Ten requests a second, each of one
short new text: first while the stream is idle, then while it has a backlog that is never empty. The stream's rate is
taken with the same backlog, in turn with requests and without. The last line is JSON; exit code 1 when a bound is
missed: p95 under the backlog at most 4 times the idle p95 (one under 25 ms counts as 25 ms), and 0.8 of the rate.
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from moderator.demo.examples import example_policies
from moderator.demo.servers.kafka import LocalKafka
from moderator.settings import KafkaSettings
from tests.benchmarks.bench_latency import Replica, short_messages
from tests.kafka_stream import kafka_variables, some_topics

PARTITIONS = 4
READY_S = 180.0
RATE = 10.0
MOST_RATIO = 4.0
LEAST_P95_MS = 25.0
LEAST_SHARE = 0.8
SETTLE_S = 5.0
WINDOW_S = 60.0


def quantile(latencies_ms: list[float], percent: int) -> float:
    return statistics.quantiles(latencies_ms, n=100, method="inclusive")[percent - 1]


def ask_for(port: int, seconds: float) -> list[float]:
    """Ask for so long; see `asking`."""
    with asking(port) as latencies_ms:
        time.sleep(seconds)
    return latencies_ms


@contextmanager
def asking(port: int) -> Iterator[list[float]]:
    """Ask at a fixed rate, whether or not the last request was answered; note milliseconds from the planned start."""
    latencies_ms: list[float] = []
    texts, run = short_messages(), uuid.uuid4().hex[:8]
    start_s = time.perf_counter()
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        body = orjson.dumps({"text": f"{texts[number % len(texts)]} {run} {number}"})
        connection.request("POST", "/v1/decisions", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == http.HTTPStatus.OK, answer.status
        latencies_ms.append((time.perf_counter() - start_s - number / RATE) * 1_000)
        connection.close()

    def ask_all() -> None:
        while not stop.wait(max(0.0, start_s + len(threads) / RATE - time.perf_counter())):
            threads.append(threading.Thread(target=ask, args=(len(threads),)))
            threads[-1].start()

    asker = threading.Thread(target=ask_all)
    asker.start()
    try:
        yield latencies_ms
    finally:
        stop.set()
        for thread in (asker, *threads):
            thread.join()
    assert len(latencies_ms) == len(threads)


class Published:
    """How many decisions are committed, as the broker knows: a look at `/metrics` would cost the replica 10 ms."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers, isolation_level="read_committed", group_id=None
        )
        topics = (settings.flag_topic, settings.allow_topic)
        self._partitions = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]

    def count(self) -> int:
        """One marker of each transaction counts too."""
        return sum(self._consumer.end_offsets(self._partitions).values())

    def await_more(self) -> int:
        """Wait for the next window."""
        count = self.count()
        until_s = time.monotonic() + WINDOW_S
        while (now := self.count()) == count:
            assert time.monotonic() < until_s, "nothing was published"
            time.sleep(0.02)
        time.sleep(0.2)  # its last partitions
        return max(now, self.count())


@contextmanager
def backlog(settings: KafkaSettings, ahead: int) -> Iterator[None]:
    """Keep so many new events before the replica."""
    stop = threading.Event()
    texts, run = short_messages(), uuid.uuid4().hex[:8]

    def send() -> None:
        producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, linger_ms=20)
        published = Published(settings)
        sent, before = 0, published.count()
        while not stop.is_set():
            while sent < published.count() - before + ahead:
                for _ in range(500):
                    value = orjson.dumps({"id": f"{run}-{sent}", "text": f"{texts[sent % len(texts)]} {run} {sent}"})
                    producer.send(settings.events_topic, value, partition=sent % PARTITIONS)
                    sent += 1
            stop.wait(0.5)
        producer.close()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Rate(NamedTuple):
    """The stream's events per second, and per second of the replica's CPU: others on the machine change the first."""

    by_time: float
    by_cpu: float


def rate_over(replica: Replica, published: Published, seconds: float) -> Rate:
    """Measure for so long, and on to whole windows: one is a quarter of what is published in 20 s."""
    before, began_s, cpu_s = published.await_more(), time.perf_counter(), replica.cpu_s
    time.sleep(seconds)
    events = published.await_more() - before
    return Rate(events / (time.perf_counter() - began_s), events / (replica.cpu_s - cpu_s))


def measure(seconds: float, rounds: int, ahead: int) -> dict[str, Any]:
    with LocalKafka() as kafka:
        settings = some_topics(kafka.bootstrap_servers, partitions=PARTITIONS)
        variables = kafka_variables(settings)
        variables |= {"MODERATOR_MODEL__PATH": "builtin", "MODERATOR_POLICIES__PATH": str(example_policies())}
        with Replica(sys.executable, variables) as replica:
            assert replica.await_ready(READY_S), replica.last_lines()
            ask_for(replica.http_port, 2)  # the first ones are slower
            idle_ms = ask_for(replica.http_port, seconds)
            print(f"idle: p50 {quantile(idle_ms, 50):.0f} ms, p95 {quantile(idle_ms, 95):.0f} ms", flush=True)
            busy_ms: list[float] = []
            shares: list[Rate] = []
            published = Published(settings)
            with backlog(settings, ahead):
                time.sleep(SETTLE_S)
                for number in range(rounds):
                    alone = rate_over(replica, published, seconds)
                    with asking(replica.http_port) as latencies_ms:
                        beside = rate_over(replica, published, seconds)
                    busy_ms += latencies_ms
                    shares.append(Rate(beside.by_time / alone.by_time, beside.by_cpu / alone.by_cpu))
                    print(
                        f"round {number}: {alone.by_time:.0f} events/s alone, {beside.by_time:.0f} beside requests; "
                        f"per CPU second {alone.by_cpu:.0f} and {beside.by_cpu:.0f}",
                        flush=True,
                    )
            print(f"busy: p50 {quantile(busy_ms, 50):.0f} ms, p95 {quantile(busy_ms, 95):.0f} ms", flush=True)
    return result(idle_ms, busy_ms, shares)


def result(idle_ms: list[float], busy_ms: list[float], shares: list[Rate]) -> dict[str, Any]:
    idle, busy = quantile(idle_ms, 95), quantile(busy_ms, 95)
    return {
        "benchmark": "http",
        "idle_ms": {"p50": round(quantile(idle_ms, 50), 1), "p95": round(idle, 1)},
        "busy_ms": {"p50": round(quantile(busy_ms, 50), 1), "p95": round(busy, 1)},
        "ratio": round(busy / max(idle, LEAST_P95_MS), 2),
        "shares": [round(share.by_time, 3) for share in shares],
        "share": round(statistics.median(share.by_time for share in shares), 3),
        "share_of_cpu": round(statistics.median(share.by_cpu for share in shares), 3),
        "load": [round(load, 1) for load in os.getloadavg()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ahead", type=int, default=6_000, help="events that wait before the replica")
    arguments = parser.parse_args()
    found = measure(arguments.seconds, arguments.rounds, arguments.ahead)
    print(json.dumps(found))
    sys.exit(found["ratio"] > MOST_RATIO or found["share"] < LEAST_SHARE)


if __name__ == "__main__":
    main()
