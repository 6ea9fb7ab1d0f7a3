"""What probes are told."""

from dataclasses import replace

import pytest

from moderator.observability.health import HealthSnapshot, PolicyHealth, sickness, staleness, unreadiness

RUNNING = HealthSnapshot(
    progressed_at_s=100.0, broker_seen_at_s=100.0, is_warm=True, has_joined=True, assigned_partitions=4
)


def test_a_stream_that_moves_is_healthy_and_ready() -> None:
    assert sickness(RUNNING, 101.0) == []
    assert unreadiness(RUNNING, 101.0) == []


def test_a_replica_without_partitions_is_healthy_and_ready() -> None:
    idle = replace(RUNNING, assigned_partitions=0)

    assert sickness(idle, 101.0) == []
    assert unreadiness(idle, 101.0) == []


def test_no_progress_for_a_minute_is_unhealthy_and_unready() -> None:
    stuck = replace(RUNNING, broker_seen_at_s=160.0)

    assert sickness(stuck, 160.0) == []
    assert sickness(stuck, 161.0) == ["no progress for 61 s"]
    assert unreadiness(stuck, 161.0) == ["no progress for 61 s"]


def test_no_broker_for_a_minute_is_unhealthy() -> None:
    cut_off = replace(RUNNING, progressed_at_s=170.0)

    assert sickness(cut_off, 170.0) == ["no answer from Kafka for 70 s"]


def test_a_start_of_any_length_is_healthy_but_not_ready() -> None:
    starting = HealthSnapshot(progressed_at_s=0.0, broker_seen_at_s=0.0)

    assert sickness(starting, 600.0) == []
    assert unreadiness(starting, 600.0) == ["the model is loading", "the consumer group was not joined yet"]


@pytest.mark.parametrize("change", [{"is_warm": False}, {"has_joined": False}, {"is_draining": True}])
def test_not_warm_not_joined_and_draining_are_each_unready(change: dict[str, bool]) -> None:
    assert len(unreadiness(replace(RUNNING, **change), 101.0)) == 1


def test_stale_policies_are_unready_only_past_the_limit_that_was_set() -> None:
    limited = PolicyHealth(agreed_at_s=100.0, max_stale_s=30.0)

    assert staleness(limited, 130.0) == []
    assert staleness(limited, 131.0) == ["the policy folder was not taken up for 31 s"]
    assert staleness(PolicyHealth(agreed_at_s=100.0), 1e9) == []
    assert staleness(None, 1e9) == []
