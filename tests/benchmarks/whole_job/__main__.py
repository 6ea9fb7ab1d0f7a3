"""The whole job, exactly once, with a small decoder classifier on the CPU: `moderator run` beside plain programs.

The same model and the same events of a real broker in turn for each: from the first event that is sent until the
offset of the last one is committed with its decision. The plain programs score one by one, in padded batches of 32 as
they arrive, or 256 sorted by length in such batches; all that is theirs is in `plain_program`. Two mixes of lengths:
short chat (lognormal, median 15 tokens) and long (median 90). Every score of every way is compared.

Only ratios are worth anything: the ways in turn, medians over the rounds. The last line is JSON; exit code 1 when a
bound is missed or scores differ.
"""

import argparse
import json
import random
import statistics
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from moderator.demo.replica import LocalReplica
from moderator.demo.servers.kafka import LocalKafka
from moderator.settings import KafkaSettings
from tests.benchmarks.bench_classifier import BOUNDS, MIXES, a_folder
from tests.benchmarks.mix import lognormal_lengths
from tests.benchmarks.whole_job.plain_program import WAYS
from tests.builders import write_files
from tests.kafka_stream import asking_for_offsets, kafka_variables, produce, read_committed, some_topics

PARTITIONS = 4
READY_S = 180.0
MOST_S = 600.0
LOOK_EVERY_S = 0.1
MOST_DIFFERENCE = 1e-4
OURS = "ours"
POLICIES = {
    "settings.yaml": "format: 1\nif_score_missing: flag\nif_unscored: flag\nfields: {speaker: always}\n"
    "reasons: [low]\n",
    "signals.yaml": "signals:\n  reward:\n    about: The score\n    from: reward\n    scale: {low: -100, high: 100}\n"
    "    good: high\n",
    "low.yaml": "policy: low\nabout: Low scores\nowner: nobody@example.com\nrules:\n  - rule: low\n"
    "    about: A low score\n    mode: live\n    when: {reward: below 0.5}\n    flag: {severity: low, reason: low}\n",
}


def some_events(count: int, median: float, sigma: float, chance: random.Random) -> list[bytes]:
    """Texts of random letters, each of which is a token to the model's tokenizer, in a random order of lengths."""
    lengths = lognormal_lengths(count, median=median, sigma=sigma, least=4)
    chance.shuffle(lengths)
    texts = ["".join(chance.choices(string.ascii_letters, k=length)) for length in lengths]
    return [orjson.dumps({"id": f"evt-{number}", "text": text}) for number, text in enumerate(texts)]


def seconds_of(way: str, model: Path, policies: Path, kafka: LocalKafka, events: Sequence[bytes]) -> "Run":
    """Run one way on topics of its own."""
    topics = some_topics(kafka.bootstrap_servers, partitions=PARTITIONS)
    program = ours(model, policies, topics) if way == OURS else plain(way, model, topics)
    wanted = [len(events[number::PARTITIONS]) for number in range(PARTITIONS)]
    with program, asking_for_offsets(topics, PARTITIONS) as offsets:
        produce(topics, events[:PARTITIONS], partitions=PARTITIONS)  # the first calls allocate
        await_offsets(offsets, [1] * PARTITIONS)
        began_s = time.perf_counter()
        produce(topics, events[PARTITIONS:], partitions=PARTITIONS)
        await_offsets(offsets, wanted)
        return time.perf_counter() - began_s, scores_in(topics)


def await_offsets(offsets: Callable[[], list[int]], wanted: Sequence[int]) -> None:
    """Wait until these are committed; to ask more often would take too much from those who work."""
    deadline_s = time.monotonic() + MOST_S
    while offsets() != list(wanted):
        assert time.monotonic() < deadline_s, "it takes too long"
        time.sleep(LOOK_EVERY_S)


Run = tuple[float, dict[str, float]]
"""Seconds, and the score of each event."""


def scores_in(topics: KafkaSettings) -> dict[str, float]:
    """Give the score of each event; a plain program writes to the topic of allowed messages alone."""
    scores = {}
    for record in read_committed(topics):
        decision = orjson.loads(record.value)
        if "event" in decision:
            scores[decision["event"]["id"]] = decision["scores"]["objectives"]["reward"]
        else:
            scores[decision["id"]] = decision["score"]
    return scores


@contextmanager
def ours(model: Path, policies: Path, topics: KafkaSettings) -> Iterator[None]:
    variables = kafka_variables(topics)
    variables |= {"MODERATOR_MODEL__PATH": str(model), "MODERATOR_POLICIES__PATH": str(policies)}
    variables |= {"MODERATOR_MODEL__READS": "message"}  # the bare text, as the plain programs read it
    with LocalReplica(variables) as replica:
        assert replica.await_ready(READY_S), replica.last_lines()
        yield


@contextmanager
def plain(way: str, model: Path, topics: KafkaSettings) -> Iterator[None]:
    program = [sys.executable, "-m", "tests.benchmarks.whole_job.plain_program", str(model), way]
    named = [topics.bootstrap_servers, topics.events_topic, topics.allow_topic, topics.group_id]
    with subprocess.Popen([*program, *named], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        yield
        process.stdin.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--events", type=int, default=3_200, help="of the short mix; a quarter of that of the long one")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    chance = random.Random(1)
    seconds: dict[str, dict[str, list[float]]] = {mix: {way: [] for way in (OURS, *WAYS)} for mix in MIXES}
    difference = 0.0
    with TemporaryDirectory() as name, LocalKafka() as kafka:
        model, policies = a_folder(arguments.hidden, arguments.layers), write_files(Path(name), POLICIES)
        for number in range(arguments.rounds):
            for mix, (median, sigma) in MIXES.items():
                events = some_events(arguments.events // (1 if mix == "short" else 4), median, sigma, chance)
                scores = {}
                for way in (OURS, *WAYS):
                    took_s, scores[way] = seconds_of(way, model, policies, kafka, events)
                    seconds[mix][way].append(took_s)
                    print(f"round {number}, {mix}, {way}: {len(events) / took_s:,.0f} events/s", flush=True)
                difference = max(difference, *(largest_difference(scores[OURS], scores[way]) for way in WAYS))
    result = summary(seconds)
    missed = [f"{mix}, {way}" for mix in MIXES for way, bound in BOUNDS.items() if result[mix][way][1] < bound]
    missed += ["scores differ"] if difference > MOST_DIFFERENCE else []
    size = {"hidden": arguments.hidden, "layers": arguments.layers, "dtype": "float32"}
    print(json.dumps({"benchmark": "whole job", "model": size, "ratios": result, "missed": missed}))
    return 1 if missed else 0


def largest_difference(ours: dict[str, float], theirs: dict[str, float]) -> float:
    """Compare the scores of the same events; infinite where one lacks an event."""
    return max(abs(ours[name] - theirs[name]) for name in ours) if ours.keys() == theirs.keys() else float("inf")


def summary(seconds: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, list[float]]]:
    """Give, by mix and way, how many times as fast ours is: least, median, greatest."""
    ratios = {
        mix: {way: [a / b for a, b in zip(ways[way], ways[OURS], strict=True)] for way in WAYS}
        for mix, ways in seconds.items()
    }
    return {
        mix: {
            way: [round(each, 2) for each in (min(values), statistics.median(values), max(values))]
            for way, values in by_way.items()
        }
        for mix, by_way in ratios.items()
    }


if __name__ == "__main__":
    sys.exit(main())
