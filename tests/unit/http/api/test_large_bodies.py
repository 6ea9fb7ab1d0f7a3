"""Large bodies are read on another thread: the event loop answers others meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from moderator.http.api import decisions, guardrail, moderations
from moderator.stream.codec import read_parsed
from moderator.stream.exact_json import loads_exactly
from tests.servers.http_stage import a_stage

FILLER = "x" * 70_000
BAD = {"text": "a", "tenant": 1.5}


def is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/decisions", [{"text": "a"}, BAD, {"text": FILLER}]),
        ("/v1/decisions", BAD | {"locale": FILLER}),
        ("/v1/moderations", {"input": FILLER, "event": {"tenant": 1.5}}),
        ("/beta/litellm_basic_guardrail_api", {"input_type": "request", "texts": ["a", FILLER]}),
    ],
)
def test_a_large_body_is_read_beside_the_loop_also_a_second_time(
    path: str, body: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[bool] = []

    def parse(raw: bytes) -> Any:
        places.append(is_on_loop())
        return loads_exactly(raw)

    def read(*given: Any) -> Any:
        places.append(is_on_loop())
        return read_parsed(*given)

    monkeypatch.setattr("moderator.http.api.body.loads_exactly", parse)
    for module in (decisions, moderations, guardrail):
        monkeypatch.setattr(module, "read_parsed", read)

    with a_stage(tmp_path) as stage:
        stage.client.post(path, json=body)

    assert places
    assert not any(places)
