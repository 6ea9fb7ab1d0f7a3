"""What `moderator run` writes on stderr: little, and nothing but JSON, also while a broker is away."""

from typing import Any

import pytest

from moderator.demo.servers.kafka import LocalKafka
from tests.integration.run.test_run import READY_S, some_events, variables
from tests.kafka_stream import produce, some_topics
from tests.logs import logged
from tests.servers.shared import SharedKafka
from tests.waiting import await_condition
from tests.warm.process import WarmReplica

MOST_LIBRARY_LINES = 9


def of_libraries(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if not line.get("logger", "moderator").startswith("moderator")]


def test_a_start_writes_at_most_15_lines_in_order_and_none_is_a_library_s(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, instance_id="one")
    with WarmReplica(variables(settings)) as replica:
        assert replica.await_ready(READY_S), replica.last_lines()
        lines = logged(replica)

    events = [line["event"] for line in lines]
    until_started = events[: events.index("started") + 1]
    assert len(until_started) <= 15
    steps = ["starting", "checks_passed", "model_loading", "model_loaded", "started"]
    assert [event for event in until_started if event in steps] == steps
    assert of_libraries(lines) == []
    starting, started = lines[0], lines[events.index("started")]
    assert starting["settings_from"] == ["the environment"]
    assert starting["client_id"] == started["client_id"] == "moderator-one"
    assert started["partitions"] == 3


@pytest.mark.long
def test_an_outage_of_the_broker_gives_fewer_than_10_library_lines_and_a_way_back() -> None:
    with LocalKafka() as broker:
        settings = some_topics(broker.bootstrap_servers)
        with WarmReplica(variables(settings)) as replica:
            assert replica.await_ready(READY_S), replica.last_lines()
            broker.kill()
            produced_at = len(logged(replica))
            await_condition(lambda: '"code": "kafka_away"' in replica.log.read_text())
            broker.start()
            produce(settings, some_events(30))
            await_condition(lambda: '"event": "window_published"' in replica.log.read_text())
            await_condition(lambda: replica.log.read_text().count('"code": "kafka_away"') == 2)  # noticed once a second
            outage = logged(replica)[produced_at:]

    assert len(of_libraries(outage)) <= MOST_LIBRARY_LINES, of_libraries(outage)
    assert [line["event"] for line in outage if line.get("code") == "kafka_away"] == ["not_ready", "ready"]
