"""Typed text, scored by the built-in model in the console's own process."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from moderator.console.trials.model import ModelScorer
from moderator.policy import load_policies
from moderator.settings import ModelSettings, PoliciesSettings, Settings
from tests.unit.console.decisions import a_browser, a_console

POLICIES = Path("policies")
EVENT = {"speaker": "user", "tenant": "acme", "channel": "general"}


@pytest.fixture(scope="module")
def client() -> TestClient:
    settings = Settings(model=ModelSettings(path="builtin"), policies=PoliciesSettings(path=POLICIES))
    scorer = ModelScorer(settings, lambda: load_policies(POLICIES))
    return a_browser(a_console(settings=settings, scorer=scorer))


def asked(client: TestClient, **body: Any) -> Any:
    return client.post("/api/judge", json={"event": EVENT, **body})


def test_a_text_is_scored_and_judged_by_the_folder_and_by_an_edit(client: TestClient) -> None:
    text = "You are a useless idiot, shut up."
    edit = (POLICIES / "message-safety.yaml").read_text().replace("below 0.30", "below 0.01")

    now, then = (asked(client, text=text, files=files).json() for files in ({}, {"message-safety.yaml": edit}))

    assert (now["verdict"], then["verdict"]) == ("flag", "allow")
    assert now["scores"]["signals"] == then["scores"]["signals"]
    assert now["scores"]["signals"]["safety"] < 0.3


def test_an_empty_text_cannot_be_judged(client: TestClient) -> None:
    answer = asked(client, text="  ")

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_text")
