"""An added objective wherever scores are shown: in a calibration and its rule, in requests, on the console's pages."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fastapi.testclient import TestClient

from moderator.console.rendering import number_text
from moderator.console.trials.model import ModelScorer
from moderator.objectives import BUILTIN
from moderator.policy import load_policies
from moderator.settings import ModelSettings, PoliciesSettings, Settings
from tests.builders import write_files
from tests.integration.http.test_serve import Server, settings
from tests.models import tiny_probes
from tests.unit.console.decisions import LabelList, a_browser, a_console
from tests.waiting import PATIENCE_S
from tests.warm.process import run_moderator

SIGNALS = """calibrations: {with-spam: calibration/october.json}
signals:
  spam: {about: Advertising, from: spam, scale: {low: 0, high: 1}, good: low}
"""
FILES = {
    "settings.yaml": "format: 1\nif_score_missing: flag\nif_unscored: flag\nif_truncated: flag\n"
    "fields: {speaker: always}\nreasons: [ads]\n",
    "signals.yaml": SIGNALS.partition("\n")[2],
    "ads.yaml": "policy: ads\nabout: Advertising\nowner: o\nrules:\n  - rule: ad\n    about: An advertisement\n"
    "    mode: live\n    when: {spam: above 0.60}\n    flag: {severity: low, reason: ads}\n",
}
EVENTS = 1_000


class Scored(NamedTuple):
    """A probe, a folder whose rule flags a tenth by the probe's calibration, and the decisions made with both."""

    model: Path
    policies: Path
    calibration: Mapping[str, Any]
    lines: list[bytes]
    texts: dict[str, str]

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """In the order of the objective, least spam first."""
        return sorted(map(json.loads, self.lines), key=_spam)


def _spam(decision: Mapping[str, Any]) -> float:
    return float(decision["scores"]["objectives"]["spam"])


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    folder = tmp_path_factory.mktemp("probed")
    model = tiny_probes.write(folder / "with-spam", BUILTIN, ("spam",))
    policies = write_files(folder / "policies", FILES)
    texts = {f"evt-{at}": f"see the {at} new cars at number {at * 7919 % 1000}" for at in range(EVENTS)}
    events = folder / "events.jsonl"
    events.write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in texts.items()))

    def score(to: str) -> list[bytes]:
        given = ["--model", str(model), "--policies", str(policies), "--output", str(folder / to)]
        ended = run_moderator("score", str(events), *given)
        assert ended.returncode == 0, ended.stderr
        return (folder / to).read_bytes().splitlines()

    score("before.jsonl")
    measured = ["--events", str(folder / "before.jsonl"), "--name", "october", "--policies", str(policies)]
    ended = run_moderator("model", "calibrate", *measured, "--model", str(model))
    assert ended.returncode == 0, ended.stderr
    calibration = json.loads((policies / "calibration" / "october.json").read_text())
    in_percent = FILES["ads.yaml"].replace("above 0.60", "in the highest 10%")
    write_files(policies, {"signals.yaml": SIGNALS, "ads.yaml": in_percent})
    return Scored(model, policies, calibration, score("after.jsonl"), texts)


def test_a_calibration_of_it_lets_a_rule_flag_a_share_of_its_events(scored: Scored) -> None:
    checked = run_moderator("policy", "check", str(scored.policies), "--model", str(scored.model))

    assert checked.returncode == 0, checked.stdout
    assert scored.calibration["quantiles"]["spam"] == sorted(scored.calibration["quantiles"]["spam"])
    assert scored.calibration["noise"]["spam"] >= 0
    assert scored.calibration["model"]["fingerprint"] == scored.decisions[0]["model"]["fingerprint"]
    verdicts = [decision["verdict"] for decision in scored.decisions]
    assert verdicts == sorted(verdicts)  # those that are flagged have the highest scores
    assert verdicts.count("flag") == pytest.approx(EVENTS / 10, abs=EVENTS / 100)


def test_requests_are_answered_with_it_and_the_status_names_it(scored: Scored) -> None:
    least, *_, most = scored.decisions
    asked = [scored.texts[decision["event"]["id"]] for decision in (least, most)]

    with Server(settings(scored.policies, MODERATOR_MODEL__PATH=str(scored.model))) as server:
        assert server.await_ready(PATIENCE_S), server.last_lines()
        decided = [server.ask("POST", "/v1/decisions", {"text": text})[1] for text in asked]
        moderated = server.ask("POST", "/v1/moderations", {"input": asked})[1]["results"]
        told = server.ask("GET", "/v1/status")[1]["model"]

    assert list(map(_spam, decided)) == pytest.approx([_spam(least), _spam(most)], abs=1e-3)
    assert [decision["verdict"] for decision in decided] == ["allow", "flag"]
    assert [result["categories"]["spam"] for result in moderated] == [False, True]
    shares = [min(max(decision["scores"]["signals"]["spam"], 0), 1) for decision in decided]
    assert [result["category_scores"]["spam"] for result in moderated] == pytest.approx(shares, abs=1e-3)
    assert (told["name"], told["objectives"][-1]) == ("with-spam", "spam")
    assert told["fingerprint"] == most["model"]["fingerprint"]


@pytest.fixture(scope="module")
def browser(scored: Scored) -> TestClient:
    chosen = Settings(model=ModelSettings(path=str(scored.model)), policies=PoliciesSettings(path=scored.policies))
    scorer = ModelScorer(chosen, lambda: load_policies(scored.policies))
    return a_browser(a_console(settings=chosen, scorer=scorer, sink=LabelList(), values=scored.lines))


def test_the_console_shows_it_on_decisions_why_and_review(scored: Scored, browser: TestClient) -> None:
    most = scored.decisions[-1]
    score = number_text(most["scores"]["signals"]["spam"])

    listed, why, review = (
        browser.get(path) for path in ("/decisions?verdict=flag", f"/decisions/{most['decision_id']}", "/review")
    )

    assert {page.status_code for page in (listed, why, review)} == {200}
    assert "ads/ad" in listed.text
    assert "spam" in why.text
    assert score in why.text
    assert "spam" in review.text


def test_the_playground_scores_typed_text_with_it(scored: Scored, browser: TestClient) -> None:
    most = scored.decisions[-1]
    text = scored.texts[most["event"]["id"]]

    judged = browser.post("/api/judge", json={"event": {"speaker": "user"}, "text": text})

    assert judged.status_code == 200, judged.text
    assert judged.json()["scores"]["signals"]["spam"] == pytest.approx(_spam(most), abs=1e-3)
    assert judged.json()["verdict"] == "flag"
    assert "spam" in browser.get("/playground").text
