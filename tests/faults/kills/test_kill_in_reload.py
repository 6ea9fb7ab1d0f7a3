"""`kill -9` while a policy edit is taken up, and a broken folder at the restart: whole policies go on deciding."""

import json
import random
import time
from pathlib import Path

import orjson
import pytest

from moderator.policy import load_policies
from moderator.policy.live.snapshot_store import SnapshotStore
from tests.builders import POLICY_FILES, write_files
from tests.faults.killable import Replica
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import await_committed, produce, some_topics
from tests.servers.shared import SharedKafka
from tests.waiting import await_condition

KILLS = 6
PER_PARTITION = 20
EVENTS = 2 * KILLS * PER_PARTITION
"""In each partition: some before each kill, some after."""
TAKEN_UP_WITHIN_S = (1.8, 4.2)
"""An edit is found at a look every 2 s and acted upon at the next; kills fall around that."""


def policies_of(number: int) -> dict[str, str]:
    """Whole and different for every number, and long enough that checking and keeping them takes a while."""
    names = {"safety.yaml": POLICY_FILES["safety.yaml"].replace("0.30", f"0.{30 + number}")}
    for copy in range(30):
        text = POLICY_FILES["safety.yaml"].replace("policy: safety", f"policy: more-{copy}")
        names[f"more-{copy}.yaml"] = text.replace("mode: live", "mode: shadow").replace("0.30", f"0.{30 + number}")
    return {**POLICY_FILES, **names}


@pytest.mark.long
def test_killed_while_an_edit_is_taken_up_it_starts_on_the_last_good_policies(
    kafka: SharedKafka, tmp_path: Path
) -> None:
    settings = some_topics(kafka.bootstrap_servers)
    chance = random.Random(20261125)
    folder, state_dir = tmp_path / "policies", tmp_path / "state"
    write_files(folder, policies_of(0))
    replica = Replica(
        settings,
        tmp_path,
        "only",
        MODERATOR_POLICIES__PATH=str(folder),
        MODERATOR_POLICIES__STATE_DIR=str(state_dir),
    )
    good = {load_policies(folder).snapshot}

    def fell_back() -> list[str]:
        log = [json.loads(line) for line in replica.log.read_text().splitlines() if line.endswith("}")]
        return [line["snapshot"] for line in log if line["event"] == "started_on_last_good_policies"]

    def some_events() -> None:
        produce(settings, [b'{"id": "evt-%d", "text": "text %d"}' % (n, n) for n in range(3 * PER_PARTITION)])

    with replica:
        await_condition((state_dir / "last_good").exists)
        for number in range(1, KILLS + 1):
            write_files(folder, policies_of(number))
            good.add(load_policies(folder).snapshot)
            some_events()
            time.sleep(chance.uniform(*TAKEN_UP_WITHIN_S))
            replica.kill()
            (folder / "safety.yaml").write_text("policy: [")
            replica.start()
            some_events()
            await_condition(lambda number=number: len(fell_back()) == number)  # type: ignore[misc]
            write_files(folder, policies_of(number))
        await_committed(settings, [EVENTS] * 3)
        replica.drain()

    records = assert_each_event_came_out_once(settings, [EVENTS] * 3)
    decided_by = {orjson.loads(record.value)["policy"]["snapshot"] for record in records}
    assert set(fell_back()) | decided_by <= good
    kept = SnapshotStore(state_dir)
    assert {load_policies(kept.folder_of(snapshot)).snapshot for snapshot in fell_back()} == set(fell_back())
