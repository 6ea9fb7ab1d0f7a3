"""The demo's spam: what its probe and its policy say of the samples, and of phrases that the probe did not learn."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from moderator.demo.examples import MODEL_WITH_SPAM, demo_policies, example_policies
from moderator.demo.samples import sample_events
from moderator.errors import ConfigurationError
from moderator.evaluation.figures import auc
from moderator.evaluation.labelled import read_labelled
from moderator.probing.split import split
from moderator.scoring import builtin
from moderator.scoring.opening import open_model
from moderator.settings import Settings
from tests.spam.fit import labelled_lines
from tests.warm.process import run_moderator

RULE = "spam/likely-spam"
FOUND = {
    "CONGRATULATIONS! Your number was drawn": 0.642,
    "Win money fast!!! Click my profile": 0.860,
    "Free coins for the first 50 players": 0.641,
    "Earn 400 dollars a day from home": 0.839,
    "5,000 real followers for 9 dollars": 0.759,
    "Hot deal!!! Designer watches 90% off": 1.006,
    "Send 0.1 BTC to my wallet": 0.977,
    "Guaranteed loan in 10 minutes": 0.721,
    "Hello dear, I have an inheritance": 0.873,
}
"""Beginnings of samples, and how much they read like spam."""
MISSED = {
    "I turned 300 dollars into 9,000": 0.418,
    "follow me and I follow back": 0.435,
    "Your parcel could not be delivered": 0.589,
    "Lose 10 kilos in two weeks": 0.418,
}
HONEST = {
    "congratulations on the new job": 0.386,
    "is bitcoin a bad idea for my savings?": 0.228,
    "free pizza in the break room": 0.097,
    "please follow the link in the pinned post": 0.383,
    "I won the raffle at school": 0.295,
    "the new phone is 20 percent off": 0.579,
    "does anybody know whether this parcel text": 0.166,
    "who wants to trade my spare concert ticket": 0.293,
}


def decisions(lines: Iterable[bytes | str], policies: Path, folder: Path) -> list[dict[str, Any]]:
    """Decide on events with the demo's model; in their order."""
    events, output = folder / "events.jsonl", folder / "decisions.jsonl"
    events.write_bytes(b"".join(line.encode() if isinstance(line, str) else line + b"\n" for line in lines))
    given = ["--model", str(MODEL_WITH_SPAM), "--policies", str(policies), "--output", str(output)]
    ended = run_moderator("score", str(events), *given)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in output.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any]]]:
    """The judged message of each sample, and its decision."""
    read = [sample for sample in sample_events() if sample.event is not None]
    policies = demo_policies(tmp_path_factory.mktemp("policies"))
    decided = decisions([sample.value for sample in read], policies, tmp_path_factory.mktemp("samples"))
    return list(zip([sample.text for sample in read], decided, strict=True))


def test_of_the_samples_most_spam_is_held_and_nothing_else(samples: list[tuple[str, dict[str, Any]]]) -> None:
    held = [(text, decision) for text, decision in samples if RULE in matched(decision)]

    assert {text for text, _ in held} == {text for text, _ in samples if text.startswith(tuple(FOUND))}
    assert len(held) == len(FOUND) + 2  # one of them was posted three times
    assert {(decision["verdict"], *decision["reasons"], decision["action"]) for _, decision in held} == {
        ("flag", "spam", "hold")
    }


def test_the_samples_score_as_they_did_when_the_limit_was_chosen(samples: list[tuple[str, dict[str, Any]]]) -> None:
    known = FOUND | MISSED | HONEST
    scores = {
        beginning: decision["scores"]["signals"]["spam"]
        for beginning in known
        for text, decision in samples
        if text.startswith(beginning)
    }

    assert scores == pytest.approx(known, abs=0.005)


def test_the_sum_of_the_samples_is_what_the_pages_say(samples: list[tuple[str, dict[str, Any]]]) -> None:
    verdicts = [decision["verdict"] for _, decision in samples]

    assert (len(sample_events()), verdicts.count("flag"), verdicts.count("allow")) == (338, 74, 254)


def test_on_phrases_that_were_held_out_it_does_what_its_report_says(tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    labels.write_text("".join(labelled_lines()), "utf-8")
    lines = np.array(labels.read_text("utf-8").splitlines(keepends=True))
    held_out = lines[split(read_labelled(labels, Settings()), seed=1).held_out].tolist()
    is_spam = np.array([json.loads(line)["labels"]["spam"] == 1 for line in held_out])

    decided = decisions(held_out, example_policies() / "spam", tmp_path)

    reported = json.loads((MODEL_WITH_SPAM / "report.json").read_text("utf-8"))["objectives"]["spam"]
    scores = np.array([decision["scores"]["objectives"]["spam"] for decision in decided])
    flagged = np.array([RULE in matched(decision) for decision in decided])
    assert len(held_out) == reported["held_out"]
    assert auc(scores, is_spam) == pytest.approx(reported["auc"], abs=0.001)
    assert auc(scores, is_spam) >= 0.9
    assert flagged[is_spam].mean() == pytest.approx(0.56, abs=0.01)
    assert flagged[~is_spam].mean() == pytest.approx(0.018, abs=0.004)


def test_the_probe_refuses_a_practice_model_that_has_changed(tmp_path: Path) -> None:
    changed, probe = tmp_path / "changed", tmp_path / "probe"
    shutil.copytree(Path(builtin.__file__).parent, changed)
    tensors = load_file(changed / "model.safetensors")
    tensors["regression_layer.weight"] = torch.nextafter(tensors["regression_layer.weight"], torch.tensor(1.0))
    save_file(tensors, changed / "model.safetensors")
    shutil.copytree(MODEL_WITH_SPAM, probe)
    config = json.loads((probe / "config.json").read_text("utf-8"))
    config["base"]["path"] = "../changed"
    (probe / "config.json").write_text(json.dumps(config), "utf-8")

    with pytest.raises(ConfigurationError, match="fitted on the backbone") as refused:
        open_model(probe).load("auto", torch.device("cpu"))

    assert config["base"]["fingerprint"] in str(refused.value)


def test_it_fits_the_practice_model_of_the_package() -> None:
    opened = open_model(MODEL_WITH_SPAM)

    assert opened.objectives == (*open_model("builtin").objectives, "spam")
    assert opened.fingerprint(opened.check_weights()).startswith("sha256:")


def matched(decision: dict[str, Any]) -> set[str]:
    """Give the rules that a decision's event matched."""
    return {rule["rule"] for rule in decision["rules"] if rule["outcome"] == "matched"}
