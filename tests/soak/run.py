"""Soak and chaos: a steady load, faults at random, and at the end a tally of what became of each event.

`python -m tests.soak.run --seconds 3600 [--seed N]` prints one line of JSON on stdout, and what happens on stderr.
Exit code 1: an event was lost, doubled or out of order, or a process grew.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import psutil
from kafka import KafkaConsumer, TopicPartition

from moderator.demo.servers.java import require_kafka_tools
from moderator.settings import KafkaSettings
from tests.faults.oracle import Place, place_of
from tests.kafka_stream import committed_offsets, output_topics
from tests.soak.faults import MAY_FAIL, Chaos
from tests.soak.load import Load
from tests.soak.measures import Lane, Sample, growth, problems, tally
from tests.soak.rig import Rig
from tests.waiting import LOOK_EVERY_S

LEAST_S, MOST_S = 20.0, 60.0
"""Between two faults."""
SAMPLE_EVERY_S = 5.0
CATCH_UP_S = 300.0
READ_S = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--seconds", type=float, default=3_600.0, help="how long the load lasts")
    parser.add_argument("--seed", type=int, default=None, help="of the faults' order; without one, another each time")
    arguments = parser.parse_args()
    require_kafka_tools()
    with tempfile.TemporaryDirectory(prefix="moderator-soak-") as folder:
        result = soak(Path(folder), arguments.seconds, random.Random(arguments.seed))
    print(json.dumps(result), flush=True)
    found = problems(result)
    say(*(found or ["all is well"]))
    sys.stdout.flush()
    os._exit(bool(found))  # the clients' threads have nothing more to do


def soak(folder: Path, seconds: float, chance: random.Random) -> dict[str, Any]:
    samples: dict[int, list[Sample]] = defaultdict(list)
    with Rig(folder) as rig, Load(rig.cluster.bootstrap_servers, rig.settings.events_topic) as load:
        say("all replicas are in the group")
        chaos = Chaos(rig, load, chance)
        _disturb(rig, chaos, seconds, samples)
        load.stop()
        rig.finish()
        say("the load has ended; waiting until all is decided")
        is_caught_up = _await_no_lag(rig, samples)
        lanes, set_aside = _outcomes(rig.settings)
        counted = tally(_events(rig.settings), lanes, rig.settings.dead_letter_topic)
        ends: Counter[int] = sum((replica.ends for replica in rig.replicas), Counter())
    longest = max(samples.values(), key=lambda each: each[-1].at_s - each[0].at_s)
    return {
        **counted._asdict(),
        "faults": chaos.counts,
        "set_aside": set_aside,
        **growth(longest),
        "ends": {str(code): times for code, times in sorted(ends.items())},
        "lag_is_0": is_caught_up,
    }


def _disturb(rig: Rig, chaos: Chaos, seconds: float, samples: dict[int, list[Sample]]) -> None:
    began_s = time.monotonic()
    next_fault_s = began_s + chaos.chance.uniform(LEAST_S, MOST_S) / 2
    while time.monotonic() - began_s < seconds:
        rig.turn()
        _sample(rig, samples)
        if time.monotonic() >= next_fault_s:
            try:
                say(f"{time.monotonic() - began_s:6.0f} s  {chaos.next()}")
            except MAY_FAIL as error:
                say(f"         could not be made now: {type(error).__name__}")
            next_fault_s = time.monotonic() + chaos.chance.uniform(LEAST_S, MOST_S)
        time.sleep(LOOK_EVERY_S)


def _sample(rig: Rig, samples: dict[int, list[Sample]]) -> None:
    for replica in rig.replicas:
        taken = samples[replica.child.pid]
        try:
            process = psutil.Process(replica.child.pid)
            at_s = time.time() - process.create_time()
            if not taken or at_s - taken[-1].at_s >= SAMPLE_EVERY_S:
                taken.append(Sample(at_s, process.memory_info().rss, process.num_fds(), process.num_threads()))
        except psutil.Error:  # it has ended
            pass
        if not taken:
            del samples[replica.child.pid]


def _await_no_lag(rig: Rig, samples: dict[int, list[Sample]]) -> bool:
    """Wait until the group's positions are the ends of the log, markers included; false where that takes too long."""
    until_s = time.monotonic() + CATCH_UP_S
    while time.monotonic() < until_s:
        rig.turn()
        _sample(rig, samples)
        ends = [end for _, end in sorted(_ends(rig.settings, rig.settings.events_topic).items())]
        if committed_offsets(rig.settings, len(ends)) == ends:
            return True
        time.sleep(1)
    return False


def _ends(settings: KafkaSettings, topic: str) -> dict[TopicPartition, int]:
    reader = KafkaConsumer(bootstrap_servers=settings.bootstrap_servers)
    try:
        return dict(reader.end_offsets([TopicPartition(topic, n) for n in reader.partitions_for_topic(topic)]))
    finally:
        reader.close()


def _events(settings: KafkaSettings) -> list[Place]:
    """Give every event in the log that is not part of an aborted transaction."""
    return [(record.partition, record.offset) for record in _read(settings, settings.events_topic)]


def _outcomes(settings: KafkaSettings) -> tuple[dict[Lane, list[int]], int]:
    """Give the offsets of each lane in the order of the output, and how many events were set aside."""
    lanes: dict[Lane, list[int]] = defaultdict(list)
    set_aside = 0
    for topic in output_topics(settings):
        for record in _read(settings, topic):
            number, offset = place_of(record, settings)
            lanes[topic, record.partition, number].append(offset)
            set_aside += ("dlq.reason", b"crashed_scorer") in record.headers
    return lanes, set_aside


def _read(settings: KafkaSettings, topic: str) -> Any:
    """Give the visible records of a topic, in order within each partition."""
    ends = _ends(settings, topic)
    reader = KafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    reader.assign(list(ends))
    reader.seek_to_beginning(*ends)
    until_s = time.monotonic() + READ_S
    while any(reader.position(partition) < end for partition, end in ends.items()):
        assert time.monotonic() < until_s, f"a transaction of {topic} stays open"
        for records in reader.poll(200).values():
            yield from records
    reader.close()


def say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
