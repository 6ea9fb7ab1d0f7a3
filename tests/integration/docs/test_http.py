"""The programs of the HTTP page, on a real replica with Kafka and Redis, and what the stream made of the same event."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from moderator.demo.examples import example_policies
from moderator.demo.servers.redis import LocalRedis
from moderator.settings import KafkaSettings
from tests.kafka_stream import await_committed, kafka_variables, read_committed, some_topics
from tests.pages import PAGES, ROOT, Block, blocks
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S
from tests.warm.process import WarmReplica

PAGE = ROOT / "docs" / "http.md"
TOKEN = "a-token-of-the-tests"
(EVENT,) = (json.loads(block.text) for block in blocks(ROOT / "README.md") if block.kind == "event")


class Asked(NamedTuple):
    replica: WarmReplica
    settings: KafkaSettings
    redis: LocalRedis


@pytest.fixture(scope="module")
def asked(kafka: SharedKafka) -> Iterator[Asked]:
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    with LocalRedis() as redis:
        variables = {
            **kafka_variables(settings),
            "MODERATOR_MODEL__PATH": "builtin",
            "MODERATOR_POLICIES__PATH": str(example_policies()),
            "MODERATOR_REDIS__URL": redis.url,
            "MODERATOR_REDIS__DEADLINE_MS": "10000",  # on a busy machine too, what is scored is cached
            "MODERATOR_HTTP__DEADLINE_MS": "60000",
            "MODERATOR_HTTP__TOKEN": TOKEN,
        }
        with WarmReplica(variables) as replica:
            assert replica.await_ready(PATIENCE_S), replica.last_lines()
            yield Asked(replica, settings, redis)


def the_block(kind: str, page: Path = PAGE) -> Block:
    (block,) = (block for block in blocks(page) if block.kind == kind)
    return block


def printed(text: str, asked: Asked, folder: Path) -> list[str]:
    places = {
        "http://localhost:8080": f"http://localhost:{asked.replica.http_port}",
        "localhost:9092": asked.settings.bootstrap_servers,
        '"chat.events"': f'"{asked.settings.events_topic}"',
        '{"Content-Type": "application/json"}': f'{{"Content-Type": "application/json", "X-API-Key": "{TOKEN}"}}',
        '"TOKEN")': f'"{TOKEN}")',
    }
    for usual, here in places.items():
        text = text.replace(usual, here)
    program = folder / "program.py"
    program.write_text(text, "utf-8")
    (folder / "event.json").write_bytes(orjson.dumps(EVENT))
    command = [sys.executable, program.name]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def decide(asked: Asked, event: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{asked.replica.http_port}/v1/decisions",
        orjson.dumps(event),
        {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
    )
    return json.load(urllib.request.urlopen(request, timeout=PATIENCE_S))


def streamed(asked: Asked) -> list[Any]:
    topics = (asked.settings.flag_topic, asked.settings.allow_topic)
    return [orjson.loads(record.value) for record in read_committed(asked.settings, *topics)]


def test_the_readme_shows_the_pages_program() -> None:
    readme, page = (the_block("ask", page) for page in (ROOT / "README.md", PAGE))

    assert readme.text == page.text
    assert len(page.text.splitlines()) <= 10
    assert [page for page in PAGES if any(block.kind == "ask" for block in blocks(page))] == [ROOT / "README.md", PAGE]


def test_who_asks_first_gets_the_decision_that_the_stream_then_publishes(asked: Asked, tmp_path: Path) -> None:
    verdict, decision_id = printed(the_block("ask").text, asked, tmp_path)
    await_committed(asked.settings, [1])

    [published] = streamed(asked)
    answered = decide(asked, EVENT)

    assert (verdict, decision_id) == ("flag", published["decision_id"])
    assert published["cached"] is True
    for decision in (published, answered):
        for own in ("decided_at", "timing_ms", "cached"):
            del decision[own]
        for place in ("topic", "partition", "offset", "timestamp"):
            del decision["event"][place]
    assert published == answered


def test_openais_client_reads_a_result(asked: Asked, tmp_path: Path) -> None:
    flagged, safety, decision_id = printed(the_block("openai").text, asked, tmp_path)

    assert flagged in {"True", "False"}
    assert 0 <= float(safety) <= 1
    assert decision_id.startswith("mod_")


def test_redis_killed_changes_no_answer(asked: Asked) -> None:
    event = {"id": "evt-2", "text": "Hello there, how are you?"}
    before = decide(asked, event)

    asked.redis.kill()
    after = decide(asked, event)
    other = decide(asked, {"id": "evt-3", "text": "Another text."})

    assert (before["decision_id"], before["verdict"]) == (after["decision_id"], after["verdict"])
    assert before["scores"]["signals"] == pytest.approx(after["scores"]["signals"], abs=1e-5)
    assert other["status"] == "scored"
