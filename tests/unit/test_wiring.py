"""What `run` puts together."""

import threading
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from moderator.errors import ConfigurationError
from moderator.observability.health import HealthBoard, HealthSnapshot
from moderator.observability.metrics import Metrics
from moderator.pipeline.scoring_thread import ScoringThread
from moderator.settings import load_settings
from moderator.testing import ScriptedScorer
from moderator.wiring.parts import choose_policies
from moderator.wiring.stream import moderate, run_stream
from tests.builders import POLICY_FILES, some_scores, write_files


def test_an_address_that_is_none_of_redis_is_reported_before_model_and_policies_are_read(tmp_path: Path) -> None:
    settings = load_settings(
        environ={
            "MODERATOR_REDIS__URL": "redis://user:hunter2@cache:notaport/0",
            "MODERATOR_MODEL__PATH": str(tmp_path / "no-model"),
            "MODERATOR_POLICIES__PATH": str(tmp_path / "no-policies"),
        },
        folder=tmp_path,
    )

    with pytest.raises(ConfigurationError, match="MODERATOR_REDIS__URL") as caught:
        run_stream(settings, threading.Event(), lambda: None)

    assert "hunter2" not in str(caught.value)


def test_asked_to_stop_while_kafka_is_awaited_the_stream_returns(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "policies", POLICY_FILES)
    settings = load_settings(
        {"kafka.bootstrap_servers": "127.0.0.1:9", "policies.path": folder}, environ={}, folder=tmp_path
    )
    stop = threading.Event()
    stop.set()

    moderate(
        settings,
        choose_policies(settings),
        ScoringThread(),
        ScriptedScorer(lambda _: some_scores()),
        stop,
        metrics=Metrics(CollectorRegistry()),
        board=HealthBoard(HealthSnapshot(turned_at_s=0, broker_seen_at_s=0)),
    )
