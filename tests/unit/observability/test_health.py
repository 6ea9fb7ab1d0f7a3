"""What probes are answered."""

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from moderator.observability.health import (
    CODES,
    Code,
    HealthBoard,
    HealthSnapshot,
    PolicyHealth,
    liveness_problems,
    readiness_problems,
)
from moderator.observability.metrics import Metrics

NOW_S = 100.0
RUNNING = HealthSnapshot(turned_at_s=NOW_S, broker_seen_at_s=NOW_S, phase="running", joined_at_s=NOW_S)


def a_board(snapshot: HealthSnapshot = RUNNING, policies: PolicyHealth | None = None) -> HealthBoard:
    board = HealthBoard(snapshot)
    board.policies = policies
    return board


def changed(**change: Any) -> HealthBoard:
    return a_board(replace(RUNNING, **change))


def codes(board: HealthBoard, now_s: float = NOW_S) -> list[Code]:
    return [problem.code for problem in readiness_problems(board, now_s)]


def test_a_stream_that_moves_is_healthy_and_ready() -> None:
    assert liveness_problems(a_board(), 101.0) == []
    assert readiness_problems(a_board(), 101.0) == []


@pytest.mark.parametrize(
    ("board", "code"),
    [
        (changed(phase="starting"), "starting"),
        (changed(phase="model_loading"), "model_loading"),
        (changed(joined_at_s=None), "group_not_joined"),
        (changed(joined_at_s=NOW_S - 31), "group_not_joined"),
        (changed(broker_seen_at_s=NOW_S - 11), "kafka_away"),
        (changed(broker_seen_at_s=NOW_S - 1e6), "kafka_away"),
        (changed(troubles={"not_publishing": "a commit has failed for 31 s"}), "not_publishing"),
        (changed(troubles={"topic_gone": "topic `chat.events` does not exist"}), "topic_gone"),
        (changed(is_draining=True), "draining"),
        (a_board(policies=PolicyHealth(agreed_at_s=NOW_S - 31, max_stale_s=30)), "policies_stale"),
    ],
)
def test_what_no_restart_can_help_is_healthy_but_not_ready(board: HealthBoard, code: Code) -> None:
    assert liveness_problems(board, NOW_S) == []
    assert codes(board) == [code]


@pytest.mark.parametrize(
    ("board", "reason"),
    [
        (changed(turned_at_s=NOW_S - 61), "the loop has not turned for 61 s"),
        (changed(scoring_since_s=NOW_S - 61), "a window has been in the scorer for 61 s"),
    ],
)
def test_a_replica_that_is_stuck_is_neither_healthy_nor_ready(board: HealthBoard, reason: str) -> None:
    assert liveness_problems(board, NOW_S) == [("stuck", reason)]
    assert readiness_problems(board, NOW_S) == [("stuck", reason)]


@pytest.mark.parametrize(
    "board",
    [
        changed(turned_at_s=NOW_S - 60, scoring_since_s=NOW_S - 60),
        changed(broker_seen_at_s=NOW_S - 10),
        changed(joined_at_s=NOW_S - 30),
        a_board(policies=PolicyHealth(agreed_at_s=NOW_S - 30, max_stale_s=30)),
        a_board(policies=PolicyHealth(agreed_at_s=-1e9)),
    ],
)
def test_each_limit_itself_is_still_ready(board: HealthBoard) -> None:
    assert liveness_problems(board, NOW_S) == []
    assert readiness_problems(board, NOW_S) == []


def test_a_start_of_any_length_is_healthy_but_not_ready() -> None:
    starting = a_board(HealthSnapshot(turned_at_s=0.0, broker_seen_at_s=0.0))

    assert liveness_problems(starting, 600.0) == []
    assert codes(starting, 600.0) == ["starting"]


def test_a_scrape_sees_what_readyz_answers_and_every_code_from_the_first_one_on() -> None:
    metrics, board = Metrics(CollectorRegistry()), a_board()
    metrics.show_readiness(board, lambda: NOW_S)

    def shown(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    while_ready = shown("moderator_ready"), [shown("moderator_not_ready", code=code) for code in CODES]
    board.snapshot = replace(RUNNING, is_draining=True)

    assert while_ready == (1, [0] * len(CODES))
    assert shown("moderator_ready") == 0
    assert [code for code in CODES if shown("moderator_not_ready", code=code)] == ["draining"]
