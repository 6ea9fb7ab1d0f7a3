"""The whole transactional path with a scorer that does nothing, over the bare client's loop, in one run.

Both read the same 1 KB events from a real broker and publish with exactly-once transactions. The bare loop, with the
client's own settings and 500 or 2,000 events a transaction, builds a 25-byte record per event; ours decodes, looks up,
judges, and writes whole decisions of about 3 kB with their headers, up to 2,000 a transaction. It does so twice: by the
shipped policies, which also read six signals from the text, and by those of them whose rules are on scores alone.
Each round has all four in turn, so that a noisy machine is noisy for all. The bounds are on the ratios by rules on
scores alone. The last line is JSON.

`--redis` measures what Redis costs instead: ours with the caches in a real Redis, in which no score is found, over ours
without, in events per second and per second of this process' CPU.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import OffsetAndMetadata
from prometheus_client import CollectorRegistry

from moderator.demo.examples import example_policies
from moderator.demo.servers.kafka import LocalKafka
from moderator.demo.servers.redis import LocalRedis
from moderator.events import EventReading, ModelIdentity, Passage, Prompt, Scores, Turn, Unscored
from moderator.observability.health import HealthBoard, HealthSnapshot
from moderator.observability.logging import configure_logging
from moderator.observability.metrics import Metrics
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.scoring.interactive import InteractiveTexts
from moderator.settings import KafkaSettings, PoliciesSettings, RedisSettings, Settings
from moderator.stream.kafka.topics import create_topics
from moderator.wiring.parts import choose_policies
from moderator.wiring.stream import moderate

PARTITIONS = 4
LOOK_EVERY_S = 0.05
"""Looking costs something too; the error that this leaves counts against us."""
BOUNDS = {500: 0.6, 2_000: 0.5}
"""By events a transaction of the bare loop; for rules on scores alone."""
SCORES_ALONE = "rules on scores alone"
ON_SCORES_ALONE = ("settings", "message-safety", "reply-safety", "reply-quality")
"""What of the example policies has no signal from the text and none from the event."""
SCORE_SIGNALS = """
signals:
  safety: {about: Safety, from: beavertails-is_safe, scale: {low: 0, high: 1}, good: high}
  helpfulness: {about: Help, from: helpsteer-helpfulness, scale: {multiply: 5, add: -0.5, low: 0, high: 4}, good: high}
"""
REDIS_BOUND = 0.95


class NoScorer:
    """Gives every text the same scores and a key of its own, at once."""

    def __init__(self) -> None:
        self._rendered = 0
        objectives = ("beavertails-is_safe", "helpsteer-helpfulness")
        self.identity = ModelIdentity("none", "sha256:" + "0" * 64, "float32", objectives, "reply/2", 4_096)
        self._scores = Scores((0.9, 0.7), (0.6, 0.4), truncated=False)

    def read(self, conversations: Sequence[Sequence[Turn]]) -> list[EventReading]:
        first = self._rendered
        self._rendered += len(conversations)
        prompts = (Prompt((0,), 0, truncated=False, score_key=str(number)) for number in range(first, self._rendered))
        return [EventReading((Passage(prompt, 0, 1),)) for prompt in prompts]

    def score(self, prompts: Sequence[Prompt], interactive: InteractiveTexts | None = None) -> list[Scores | Unscored]:
        return [self._scores] * len(prompts)


def an_event(number: int) -> bytes:
    event = {
        "id": f"evt-{number}",
        "conversation_id": f"c-{number % 500}",
        "tenant": "acme",
        "channel": "general",
        "locale": "en-GB",
        "user": f"sha256:{number % 2_000:08x}",
        "role": "member",
        "time": "2026-10-05T12:00:00Z",
        "messages": [
            {"role": "user", "content": "How do I reset my password? I tried the link twice. " * 4},
            {"role": "assistant", "content": "Open Settings, then Security, and follow the link in the mail. " * 7},
        ],
    }
    return json.dumps(event).encode()


def produce(servers: str, topic: str, events: int) -> None:
    producer = KafkaProducer(bootstrap_servers=servers, batch_size=262_144, linger_ms=5)
    for number in range(events):
        producer.send(topic, an_event(number), f"c-{number % 500}".encode())
    producer.flush()
    producer.close()


def run_bare(servers: str, topic: str, events: int, name: str, events_per_transaction: int) -> float:
    """Consume, build a record, produce, commit offsets; gives seconds."""
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=name,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=500,
        partition_assignment_strategy=[CooperativeStickyAssignor],
    )
    producer = KafkaProducer(
        bootstrap_servers=servers,
        transactional_id=name,
    )
    producer.init_transactions()
    done = 0
    waiting: list[tuple[bytes, bytes]] = []
    offsets: dict[TopicPartition, OffsetAndMetadata] = {}
    while not (polled := consumer.poll(100)):
        pass
    started_s = time.perf_counter()
    while done < events:
        for partition, records in polled.items():
            waiting += [(record.key, b'{"verdict":"allow","n":1}') for record in records]
            offsets[partition] = OffsetAndMetadata(records[-1].offset + 1, "", -1)
        if len(waiting) >= events_per_transaction or done + len(waiting) == events:
            producer.begin_transaction()
            for key, value in waiting:
                producer.send("bare.out", value, key)
            producer.flush()
            producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
            producer.commit_transaction()
            done += len(waiting)
            waiting, offsets = [], {}
        if done < events:
            polled = consumer.poll(100)
    elapsed_s = time.perf_counter() - started_s
    producer.close()
    consumer.close(autocommit=False)
    return elapsed_s


@dataclass(frozen=True, slots=True)
class Spent:
    """What one run took, from the first poll with records to the last decision."""

    wall_s: float
    cpu_s: float


class Summary(TypedDict):
    """What several runs by the same policies took; ratios by events a transaction of the bare loop."""

    events_per_s: int
    cpu_us_an_event: int
    ratio: dict[int, float]
    ratio_range: dict[int, list[float]]


def run_ours(  # noqa: PLR0917 - in the order of what varies least
    servers: str, topic: str, events: int, policies: Path, group: str, redis_url: str | None = None
) -> Spent:
    """Run `moderator`'s stream with a scorer that does nothing."""
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=servers, events_topic=topic, group_id=group),
        policies=PoliciesSettings(path=policies),
        redis=RedisSettings(url=redis_url, deadline_ms=1_000),  # on a busy machine too, all is written
    )
    metrics = Metrics(CollectorRegistry())
    board = HealthBoard(HealthSnapshot(turned_at_s=0, broker_seen_at_s=0))
    stop = threading.Event()
    with watching(metrics, events, stop) as spent:
        moderate(settings, choose_policies(settings), ScoringThread(), NoScorer(), stop, metrics=metrics, board=board)
    if redis_url:
        assert metrics.registry.get_sample_value("moderator_cache_unwritten_total", {"cache": "verdict"}) == 0
    return spent[0]


@contextmanager
def watching(metrics: Metrics, events: int, stop: threading.Event) -> Iterator[list[Spent]]:
    """Stop the stream when all decisions are published; the list then holds what it took."""
    spent: list[Spent] = []

    def watch() -> None:
        while not polled(metrics):
            time.sleep(LOOK_EVERY_S)
        started_s, cpu_s = time.perf_counter() - LOOK_EVERY_S, time.process_time()
        while published(metrics) < events:
            time.sleep(LOOK_EVERY_S)
        spent.append(Spent(time.perf_counter() - started_s, time.process_time() - cpu_s))
        stop.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield spent
    watcher.join()


def polled(metrics: Metrics) -> float:
    return _value(metrics, "moderator_events_total")


def published(metrics: Metrics) -> float:
    return _value(metrics, "moderator_window_events_sum")


def _value(metrics: Metrics, name: str) -> float:
    """Give one figure; to collect all metrics so often would take 2 % of the interpreter's time."""
    families = metrics.registry.restricted_registry([name]).collect()
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--policies", type=Path, default=example_policies(), help="the examples, if not given")
    parser.add_argument("--redis", action="store_true", help="measure what Redis costs instead")
    arguments = parser.parse_args()
    configure_logging("warning")
    with LocalKafka() as kafka:
        servers, topic, events = kafka.bootstrap_servers, "bench.events", arguments.events
        for flag_topic in ("moderation.flag", "bare.out"):
            settings = KafkaSettings(bootstrap_servers=servers, events_topic=topic, flag_topic=flag_topic)
            create_topics(settings, partitions=PARTITIONS, replication=1)
        produce(servers, topic, events)
        if arguments.redis:
            result, is_missed = compare_redis(servers, topic, events, arguments.policies, arguments.rounds)
        else:
            with tempfile.TemporaryDirectory() as folder:
                ours = {arguments.policies.name: arguments.policies, SCORES_ALONE: write_scores_alone(Path(folder))}
                result, is_missed = compare_bare(servers, topic, events, ours, arguments.rounds)
    print(json.dumps(result))
    raise SystemExit(is_missed)


def write_scores_alone(folder: Path) -> Path:
    """Write the example policies whose rules are on scores alone, with the signals that they use."""
    for name in ON_SCORES_ALONE:
        for path in example_policies().glob(f"{name}*.yaml"):  # with its tests
            shutil.copy(path, folder)
    (folder / "signals.yaml").write_text(SCORE_SIGNALS, "utf-8")
    return folder


def compare_bare(
    servers: str, topic: str, events: int, policies: Mapping[str, Path], rounds: int
) -> tuple[dict[str, object], bool]:
    """Run the bare loops and ours by each of the policies in turn."""
    bare_s: dict[int, list[float]] = {size: [] for size in BOUNDS}
    ours: dict[str, list[Spent]] = {name: [] for name in policies}
    run_bare(servers, topic, events, "warm-up", min(BOUNDS))
    for number in range(rounds):
        for size, seconds in bare_s.items():
            seconds.append(run_bare(servers, topic, events, f"bare-{size}-{number}", size))
        for place, (name, spent) in enumerate(ours.items()):
            spent.append(run_ours(servers, topic, events, policies[name], f"ours-{place}-{number}"))
        bare = ", ".join(f"bare at {size:,} {seconds[-1] / events * 1e6:.0f} us" for size, seconds in bare_s.items())
        print(
            f"round {number}: {bare}, " + ", ".join(f"{name}: {_us(spent[-1], events)}" for name, spent in ours.items())
        )
    measured = {name: summary(events, bare_s, spent) for name, spent in ours.items()}
    bare_events_per_s = {size: round(events / statistics.median(seconds)) for size, seconds in bare_s.items()}
    result = {"benchmark": "stream", "events": events, "bare_events_per_s": bare_events_per_s, "ours": measured}
    ratio = measured[SCORES_ALONE]["ratio"]
    is_missed = any(ratio[size] < bound for size, bound in BOUNDS.items())
    return {**result, "bound": {SCORES_ALONE: BOUNDS}}, is_missed


def compare_redis(servers: str, topic: str, events: int, policies: Path, rounds: int) -> tuple[dict[str, object], bool]:
    ratios: dict[str, list[float]] = {"events_per_s": [], "events_per_cpu_s": []}
    run_ours(servers, topic, events, policies, "warm-up")
    for number in range(rounds):
        with LocalRedis() as redis:
            beside = run_ours(servers, topic, events, policies, f"redis-{number}", redis.url)
        without = run_ours(servers, topic, events, policies, f"without-{number}")
        ratios["events_per_s"].append(without.wall_s / beside.wall_s)
        ratios["events_per_cpu_s"].append(without.cpu_s / beside.cpu_s)
        print(f"round {number}: {_us(beside, events)} with Redis, {_us(without, events)} without", flush=True)
    medians = {name: round(statistics.median(each), 3) for name, each in ratios.items()}
    ranges = {name: [round(min(each), 3), round(max(each), 3)] for name, each in ratios.items()}
    result = {"benchmark": "stream with Redis", "events": events, "ratio": medians, "ratio_range": ranges}
    return {**result, "bound": REDIS_BOUND}, medians["events_per_s"] < REDIS_BOUND


def _us(spent: Spent, events: int) -> str:
    return f"{spent.wall_s / events * 1e6:.0f} us an event, {spent.cpu_s / events * 1e6:.0f} us of CPU"


def summary(events: int, bare_s: Mapping[int, list[float]], ours: Sequence[Spent]) -> Summary:
    """Give medians, and the events per second over those of the bare loops."""
    ratios = {
        size: [bare / spent.wall_s for bare, spent in zip(seconds, ours, strict=True)]
        for size, seconds in bare_s.items()
    }
    return {
        "events_per_s": round(events / statistics.median(spent.wall_s for spent in ours)),
        "cpu_us_an_event": round(statistics.median(spent.cpu_s for spent in ours) / events * 1e6),
        "ratio": {size: round(statistics.median(each), 3) for size, each in ratios.items()},
        "ratio_range": {size: [round(min(each), 3), round(max(each), 3)] for size, each in ratios.items()},
    }


if __name__ == "__main__":
    main()
