"""Kafka's classes, parsed once and shared between runs."""

import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from moderator.demo.servers.jars import class_archive
from moderator.demo.servers.kafka import LocalKafka


@pytest.mark.parametrize(
    ("exit_code", "is_kept"), [(128 + signal.SIGTERM, True), (-signal.SIGKILL, False)], ids=["stopped", "killed"]
)
def test_the_next_broker_uses_what_one_that_was_stopped_in_order_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, exit_code: int, is_kept: bool
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    class_archive().parent.mkdir()
    broker = LocalKafka()
    option, written = broker._class_data()[0].split("=")
    Path(written).write_bytes(b"classes")
    broker._child = SimpleNamespace(exit_code=exit_code, stop=lambda _: None)  # type: ignore[assignment]

    broker.close()

    assert option == "-XX:ArchiveClassesAtExit"
    assert class_archive().exists() == is_kept
    if is_kept:
        assert LocalKafka()._class_data()[0] == f"-XX:SharedArchiveFile={class_archive()}"
