"""The whole way to an objective of one's own: labels in Kafka, a probe, a rule in shadow, decisions of a run."""

import json
from pathlib import Path
from typing import Any

import orjson

from moderator.stream.kafka.label_topic import LabelTopic
from tests.builders import a_label
from tests.kafka_stream import committed_offsets, kafka_variables, produce, read_committed, some_topics
from tests.pages import ROOT, blocks
from tests.servers.shared import SharedKafka
from tests.waiting import await_condition
from tests.warm.process import WarmReplica, run_moderator

THINGS = ("phone", "watch", "car", "holiday", "garden", "ticket", "coffee")
SAID = {
    "flag": ("Buy now: a cheap", "Click here for your free", "Congratulations, you win a"),
    "allow": ("Where did you leave the", "My mother likes the", "Thanks for the"),
}


def policies_of_the_page(folder: Path) -> Path:
    """Write the policy folder that docs/objectives.md shows."""
    for block in blocks(ROOT / "docs" / "objectives.md"):
        if block.argument("file"):
            file = folder / str(block.argument("file"))
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text, "utf-8")
    return folder / "watch"


def test_what_reviewers_said_becomes_an_objective_that_a_rule_watches(kafka: SharedKafka, tmp_path: Path) -> None:
    settings = some_topics(kafka.bootstrap_servers)
    environment = kafka_variables(settings)
    texts = [(said, f"{start} {thing}") for said, starts in SAID.items() for start in starts for thing in THINGS]
    produce(settings, [orjson.dumps({"id": f"evt-{at}", "text": text}) for at, (_, text) in enumerate(texts)])
    topic = LabelTopic(settings)
    for at, (said, _) in enumerate(texts):
        topic.save(a_label(id=f"evt-{at}", tenant=None, label=said))
    topic.close()

    exported = run_moderator(
        *("model", "labels", "--labels", "kafka", "--events", "kafka", "--objective", "spam"), **environment
    )
    assert exported.returncode == 0, exported.stderr
    assert "42 of 42 labelled events" in exported.stderr
    labels, model, watch = tmp_path / "labels.jsonl", tmp_path / "spam", policies_of_the_page(tmp_path)
    labels.write_text(exported.stdout, "utf-8")
    fitted = run_moderator("model", "probe", "--model", "builtin", "--labels", str(labels), "--output", str(model))
    checked = run_moderator("policy", "check", str(watch), "--model", str(model))
    assert (fitted.returncode, checked.returncode) == (0, 0), fitted.stderr + checked.stdout
    running = environment | {"MODERATOR_MODEL__PATH": str(model), "MODERATOR_POLICIES__PATH": str(watch)}
    produce(settings, [orjson.dumps({"id": "new", "text": "Congratulations, you win a bicycle!"})])
    with WarmReplica(running | {"MODERATOR_KAFKA__START_AT": "earliest"}) as replica:
        assert replica.await_ready(90), replica.last_lines()
        await_condition(lambda: sum(committed_offsets(settings)) == len(texts) + 1)

    decisions = {decision["event"]["id"]: decision for decision in map(_value, read_committed(settings))}
    assert decisions.keys() == {"new", *(f"evt-{at}" for at in range(len(texts)))}
    shadow = [decisions[f"evt-{at}"]["shadow_verdict"] for at in range(len(texts))]
    assert shadow == [said for said, _ in texts]
    assert {decision["verdict"] for decision in decisions.values()} == {"allow"}
    new = decisions["new"]
    assert (new["shadow_verdict"], new["model"]["name"]) == ("flag", "spam")
    assert list(new["scores"]["objectives"]) == ["beavertails-is_safe", "helpsteer-helpfulness", "spam"]
    fingerprint = json.loads(run_moderator("model", "info", str(model), "--json").stdout)["fingerprint"]
    assert new["model"]["fingerprint"] == fingerprint


def _value(record: Any) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(record.value)
    return value
