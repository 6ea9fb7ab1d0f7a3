"""The client programs of the page, run on a real broker: each prints the committed flags and nothing else."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from moderator.demo.servers.jars import kafka_jars
from moderator.demo.servers.kafka import LocalKafka
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.codec import decode
from moderator.stream.kafka.source_and_sink import connect
from moderator.stream.kafka.topics import await_topics
from tests.builders import a_record
from tests.faults.loop import Loop
from tests.kafka_stream import a_decision, produce, read_committed, some_topics
from tests.pages import ROOT, blocks
from tests.waiting import PATIENCE_S

PAGE = ROOT / "docs" / "consuming.md"
FLAGS = ["evt-0-1 flag high", "evt-0-3 flag high", "evt-0-5 flag high"]


@pytest.fixture(scope="module")
def flagged(kafka: LocalKafka) -> KafkaSettings:
    """Topics with an attempt that was given up, and then three flags and three allows as `run` publishes them."""
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    _give_up(settings)
    produce(settings, [b"{}"] * 6, partitions=1)
    metrics = Metrics(CollectorRegistry())
    with closing(Loop(*connect(settings, await_topics(settings).limits_bytes, metrics), outcome=a_decision)) as loop:
        loop.run_until(lambda: loop.committed == 6)
    return settings


def _give_up(settings: KafkaSettings) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=uuid.uuid4().hex)
    producer.init_transactions()
    producer.begin_transaction()
    headers = [("ce_subject", b"given-up"), ("verdict", b"flag"), ("severity", b"high")]
    producer.send(settings.flag_topic, b"{}", headers=headers)
    producer.flush()
    producer.abort_transaction()
    producer.close()


def test_python_reads_the_flags(flagged: KafkaSettings, tmp_path: Path) -> None:
    _write("python", "flags.py", flagged, tmp_path)

    assert _printed([sys.executable, "flags.py"], tmp_path) == FLAGS


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
def test_kcat_reads_the_flags(flagged: KafkaSettings, tmp_path: Path) -> None:
    _write("sh", "flags.sh", flagged, tmp_path)

    assert _printed(["bash", "flags.sh"], tmp_path) == FLAGS


@pytest.mark.skipif(shutil.which("javac") is None, reason="a Java compiler is not installed")
def test_java_reads_the_flags(flagged: KafkaSettings, tmp_path: Path) -> None:
    _write("java", "Flags.java", flagged, tmp_path)

    assert _printed(["java", "-cp", f"{kafka_jars()}/*", "Flags.java"], tmp_path) == FLAGS


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages that the page names."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    packages = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", "kafkajs", "lz4-napi"]
    subprocess.run(packages, cwd=folder, check=True, timeout=240)
    return folder


def test_node_reads_the_flags(flagged: KafkaSettings, node_folder: Path) -> None:
    _write("js", "flags.js", flagged, node_folder)

    assert _printed(["node", "flags.js"], node_folder) == FLAGS


def test_kafkajs_reads_nothing_without_the_codec(flagged: KafkaSettings, node_folder: Path) -> None:
    _write("js", "flags.js", flagged, node_folder)
    program = (node_folder / "flags.js").read_text("utf-8")
    without = re.sub(r"CompressionCodecs\[.*?\n\}\);\n", "", program, flags=re.DOTALL)
    (node_folder / "without.js").write_text(without, "utf-8")

    (error,) = _printed(["bash", "-c", "exec node without.js 2>&1"], node_folder, lines=1)

    assert without != program
    assert "LZ4 compression not implemented" in error


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
def test_kcat_sends_an_event_that_can_be_judged(kafka: LocalKafka, tmp_path: Path) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    (block,) = (block for block in blocks(PAGE) if block.kind == "send")

    subprocess.run(["bash", "-c", _placed(block.text, settings)], check=True, timeout=PATIENCE_S)

    (sent,) = read_committed(settings, settings.events_topic)
    event = decode(a_record(sent.value), 2**20)
    assert (sent.key, getattr(event, "id", event)) == (b"c-9", "evt-1")


def _write(language: str, name: str, settings: KafkaSettings, folder: Path) -> None:
    """Write the page's program of that language, with this test's broker, topic and group."""
    (block,) = (block for block in blocks(PAGE) if (block.language, block.kind) == (language, "client"))
    (folder / name).write_text(_placed(block.text, settings), "utf-8")


def _placed(text: str, settings: KafkaSettings) -> str:
    names = {
        "localhost:9092": settings.bootstrap_servers,
        "moderation.flag": settings.flag_topic,
        "chat.events": settings.events_topic,
        "review-queue": f"review-{uuid.uuid4().hex[:8]}",
    }
    for shown, used in names.items():
        text = text.replace(shown, used)
    return text


def _printed(command: list[str], folder: Path, lines: int = len(FLAGS)) -> list[str]:
    """Give the first lines of a program that goes on forever."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        end = threading.Timer(PATIENCE_S, os.killpg, (process.pid, signal.SIGKILL))
        end.start()
        try:
            return [process.stdout.readline().rstrip("\n") for _ in range(lines)]
        finally:
            end.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
