"""Any reward or moderation model under `moderator score`, as its user starts it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.models import tiny_classifiers
from tests.warm.process import run_moderator

FILES = {
    "settings.yaml": """\
format: 1
if_score_missing: flag
if_unscored: flag
fields: {speaker: always}
reasons: [abusive_message]
""",
    "signals.yaml": """\
signals:
  toxicity:
    about: How likely the message is toxic, from 0 to 1
    from: toxic
    scale: {low: 0, high: 1}
    good: low
""",
    "toxicity.yaml": """\
policy: toxicity
about: Flags what is likely toxic
owner: safety@example.com
rules:
  - rule: toxic-message
    about: More likely toxic than not
    mode: live
    when:
      toxicity: above 0.5
    flag: {severity: high, reason: abusive_message}
""",
}

ON_CPU = {"MODERATOR_MODEL__DEVICE": "cpu", "MODERATOR_MODEL__MAX_INPUT_TOKENS": "64"}  # a short warm-up
FORCED = {"MODERATOR_MODEL__FORCE_CPU": "true"}


def scored(model: Path, policies: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    events = [{"id": "evt-1", "text": "you are an idiot"}, {"id": "evt-2", "text": "hello"}]
    lines = "\n".join(map(json.dumps, events))
    return run_moderator("score", "--model", str(model), "--policies", str(policies), stdin=lines, **environment)


def written_policies(folder: Path) -> Path:
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def test_an_encoder_moderates_by_the_probabilities_of_its_labels(tmp_path: Path) -> None:
    labels = ("toxic", "insult")
    model = tiny_classifiers.write_classifier(
        tmp_path / "tiny-toxic-bert", "bert", labels, problem_type="multi_label_classification"
    )

    ended = scored(model, written_policies(tmp_path / "policies"))

    decisions: list[dict[str, Any]] = list(map(json.loads, ended.stdout.splitlines()))
    assert ended.returncode == 0, ended.stderr
    assert [decision["event"]["id"] for decision in decisions] == ["evt-1", "evt-2"]
    for decision in decisions:
        toxic = decision["scores"]["objectives"]["toxic"]
        assert 0 < toxic < 1
        assert decision["verdict"] == ("flag" if decision["scores"]["signals"]["toxicity"] > 0.5 else "allow")
        assert decision["scores"]["overall"] is None
        assert decision["explanation"] == []
        assert decision["framing"] == "message/2"
        assert decision["model"]["name"] == "tiny-toxic-bert"


@pytest.fixture
def large(tmp_path: Path) -> tuple[Path, Path]:
    """A model of more than a billion parameters, and policies that suit it."""
    policies = written_policies(tmp_path / "policies")
    (policies / "signals.yaml").write_text(FILES["signals.yaml"].replace("from: toxic", "from: reward"))
    return tiny_classifiers.write_large(tmp_path / "large-llama"), policies


def test_a_large_model_is_refused_on_a_cpu_unless_forced(large: tuple[Path, Path]) -> None:
    model, policies = large
    refused = scored(model, policies, **ON_CPU)
    nowhere = {"MODERATOR_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9", "MODERATOR_KAFKA__START_TIMEOUT_S": "0.2"}
    started = {"MODERATOR_MODEL__PATH": str(model), "MODERATOR_POLICIES__PATH": str(policies), **ON_CPU, **nowhere}
    answers = [run_moderator("run", "--check", "--json", **started, **forced).stdout for forced in ({}, FORCED)]
    states = [{each["check"]: each["state"] for each in json.loads(answer)["checks"]} for answer in answers]

    assert refused.returncode == 2
    assert "`MODERATOR_MODEL__FORCE_CPU=true`" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert [(each["model"], each["device"]) for each in states] == [("ok", "wrong"), ("ok", "ok")]


@pytest.mark.long  # four gigabytes are read
def test_a_large_model_scores_on_a_cpu_where_it_is_forced_to(large: tuple[Path, Path]) -> None:
    model, policies = large

    forced = scored(model, policies, **ON_CPU, **FORCED)

    assert forced.returncode == 0, forced.stderr
    assert len(forced.stdout.splitlines()) == 2


def test_what_a_model_is_can_be_asked_by_people_and_by_programs(tmp_path: Path) -> None:
    model = tiny_classifiers.write_classifier(tmp_path / "tiny-llama", "llama")

    people, programs = (run_moderator("model", "info", str(model), *flags) for flags in ([], ["--json"]))

    assert people.returncode == programs.returncode == 0
    assert "architecture  LlamaForSequenceClassification\n" in people.stdout
    assert json.loads(programs.stdout)["architecture"] == "LlamaForSequenceClassification"
    assert people.stderr + programs.stderr == ""


def test_a_folder_that_is_no_model_is_one_line_on_stderr(tmp_path: Path) -> None:
    ended = run_moderator("model", "info", str(tmp_path))

    assert ended.returncode == 2
    assert ended.stderr == f"error: {tmp_path}: holds no checkpoint: config.json is missing\n"


def test_a_model_can_be_compared_with_transformers_and_nothing_else(tmp_path: Path) -> None:
    model = tiny_classifiers.write_classifier(tmp_path / "tiny-qwen2", "qwen2")

    people, programs = (run_moderator("model", "info", "--check", str(model), *flags) for flags in ([], ["--json"]))
    template = model / "chat_template.jinja"
    template.write_text(template.read_text().replace("message['content']", "message['content'].replace('\\t', ' ')"))
    differs = run_moderator("model", "info", "--check", str(model))

    assert people.returncode == programs.returncode == 0
    assert people.stdout.startswith("26 texts have the tokens that transformers gives; scores differ from those that")
    check = json.loads(programs.stdout)["check"]
    assert list(check) == ["texts", "ids_equal", "largest_difference", "took_s"]
    assert check["ids_equal"] is True
    assert differs.returncode == 2
    assert differs.stderr.startswith(f"error: {model}: our tokens are not those of transformers' AutoTokenizer: for ")
